import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
import typer

from fusion_ops import errors
from fusion_ops.errors import ConfigError, RunError
from reports.judging.rules import OUTCOMES
from reports.runtimes import RUNTIMES, Runtime
from search.cli import COMMANDS
from search.cli.errors import exit_code, run, verdict_code
from search.config.objectives import require_int8, require_runtimes
from search.training.settings import LatencyConfig

HEAVY = ("torch", "ray", "optuna", "pandas", "plotly", "numpy", "sklearn", "rich")


def fusion_nas(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "search", *arguments], capture_output=True, text=True, cwd=cwd, timeout=120
    )


def in_process(*arguments: str) -> int:
    """Run a command in this process, which has torch loaded already."""
    from importlib import import_module

    from search.cli.app import app

    for command in COMMANDS:
        import_module(f"search.cli.{command}")
    return run(app, arguments)


def imported_by(*commands: tuple[str, ...]) -> set[str]:
    """Names of the modules that these commands have imported when they have ended."""
    script = (
        "import sys; from search.cli import main\n"
        f"for command in {list(commands)!r}:\n"
        "    sys.argv = ['fusion-nas', *command]\n"
        "    try: main()\n"
        "    except SystemExit as end: assert not end.code, end.code\n"
        "print('\\nMODULES', *sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(result.stdout.rpartition("\nMODULES ")[2].split())


def test_help_names_every_command_and_imports_nothing_heavy():
    modules = imported_by(("--help",), ("export", "--help"))
    assert "typer" in modules
    assert not modules & set(HEAVY)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command, capsys):
    assert in_process(command, "--help") == 0
    text = capsys.readouterr().out
    assert f"Usage: fusion-nas {command}" in text
    assert f"fusion-nas {command}" in text.partition("Options")[0].partition("\n")[2], "an example"


def test_ops_and_spaces_do_not_import_ray(tmp_path):
    (tmp_path / "a.yaml").write_text("space: {depth: 8}")
    modules = imported_by(("ops",), ("spaces",), ("spaces", str(tmp_path / "a.yaml")))
    assert "torch" in modules
    assert "ray" not in modules


def test_all_commands_are_listed_in_order(monkeypatch, capsys):
    """In whatever order their modules are imported."""
    from search.cli.app import app

    assert in_process("--help") == 0
    monkeypatch.setattr(app, "registered_commands", app.registered_commands[::-1])
    capsys.readouterr()
    assert in_process("--help") == 0
    listed = capsys.readouterr().out.partition("Commands:")[2].splitlines()
    assert [line.split()[0] for line in listed if line.strip()] == list(COMMANDS)


def test_no_command_and_an_unknown_one_are_bad_usage(capsys):
    for arguments, says in (
        ((), "Missing command"),
        (("spacs",), "No such command 'spacs'. Did you mean 'spaces'?"),
        (("ops", "--jsn"), "No such option"),
        (("launch",), "Missing argument 'CONFIG.yaml'"),
    ):
        assert in_process(*arguments) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.count("\n") == 1
        assert says in err
        assert "--help`" in err


def test_ops_as_json_has_exact_costs(capsys):
    assert in_process("ops", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["sample"] == {"channels": 64, "size": [32, 32], "r": 4, "inputs": 2}
    costs = {entry["name"]: (entry["params"], entry["flops"]) for entry in found["operators"]}
    assert costs["sum"] == (0, 0)
    assert costs["concat"] == (2 * 64 * 64 + 64, 2 * 2 * 64 * 64 * 32 * 32)
    assert costs["aff"] == (4_576, 2 * 2 * 64 * 16 * (32 * 32 + 1))
    assert costs["iaff"] == (9_152, 2 * costs["aff"][1])
    reduces = {entry["name"] for entry in found["operators"] if entry["reduces"]}
    assert {"sk", "aff", "iaff"} <= reduces
    assert not {"sum", "concat"} & reduces


def test_ops_as_a_table(capsys):
    assert in_process("ops") == 0
    out = capsys.readouterr().out
    assert "x + y" in out
    assert "[x, y]" in out
    assert "4,576" in out
    assert "2 × multiply-adds" in " ".join(out.split())


def test_runtimes_as_json_and_as_a_table(capsys):
    assert in_process("runtimes", "--json") == 0
    found = {entry["name"]: entry for entry in json.loads(capsys.readouterr().out)["runtimes"]}
    assert list(found)[:2] == ["torch", "torch-compiled"]
    assert {"onnxruntime", "openvino"} <= set(found)
    assert found["torch"]["version"] == metadata.version("torch")
    assert found["torch"]["precisions"] == ["float32", "bfloat16"]
    assert (found["onnxruntime"]["format"], found["onnxruntime"]["file"]) == ("onnx", "model.onnx")
    for entry in found.values():
        assert entry["installed"] == (entry["install"] is None)
    assert in_process("runtimes") == 0
    out = capsys.readouterr().out
    assert all(name in out for name in found)
    assert "latency@openvino" in out


def test_a_runtime_that_is_not_installed_names_the_command(capsys, monkeypatch):
    class Absent(type(RUNTIMES["openvino"])):
        title, format, extra, converters = "Absent", "", "", ("no-such-distribution",)

    monkeypatch.setitem(RUNTIMES._entries, "absent", Absent())
    assert in_process("runtimes") == 0
    assert "\nAbsent: pip install no-such-distribution\n" in capsys.readouterr().out
    with pytest.raises(ConfigError) as caught:
        require_runtimes(LatencyConfig(), ("accuracy", "latency@absent"))
    assert str(caught.value) == (
        "latency cannot be measured: Absent needs no-such-distribution; run `pip install no-such-distribution`."
    )
    require_runtimes(LatencyConfig(runtime="absent"), ("accuracy", "latency@openvino"))


def test_a_runtime_without_a_runner_that_loads_by_itself_can_be_timed(monkeypatch):
    class Unrunnable(type(RUNTIMES["openvino"])):
        title, format, runner = "Unrunnable", "", None
        load, ready = Runtime.load, Runtime.ready

    class Loading(Unrunnable):
        def load(self, path, *, threads=None, precision="float32"):
            return lambda *arrays: list(arrays)

    monkeypatch.setitem(RUNTIMES._entries, "loading", Loading())
    monkeypatch.setitem(RUNTIMES._entries, "unrunnable", Unrunnable())
    require_runtimes(LatencyConfig(), ("accuracy", "latency@loading"))
    with pytest.raises(ConfigError, match=r"^latency cannot be measured in Unrunnable here; use one of .*loading"):
        require_runtimes(LatencyConfig(), ("accuracy", "latency@unrunnable"))


def test_what_quantizes_is_required_where_it_is_int8(monkeypatch):
    class NoInt8(type(RUNTIMES["openvino"])):
        title, format = "No int8", ""

        def require_int8(self):
            raise RunError("int8 needs a tool; run `pip install tool`.")

    monkeypatch.setitem(RUNTIMES._entries, "no-int8", NoInt8())
    timed = ("accuracy", "latency@no-int8")
    require_runtimes(LatencyConfig(), timed)
    with pytest.raises(ConfigError, match=r"^latency cannot be measured: int8 needs a tool; run `pip install tool`\.$"):
        require_runtimes(LatencyConfig(precision="int8"), timed)
    with pytest.raises(ConfigError, match=r"^`accuracy@int8` cannot be measured: int8 needs a tool"):
        require_int8(LatencyConfig(runtime="no-int8"), ("accuracy", "accuracy@int8"))


def test_spaces_lists_all(capsys):
    assert in_process("spaces", "--json") == 0
    (resnet,) = (space for space in json.loads(capsys.readouterr().out) if space["name"] == "resnet")
    assert resnet["depth"] == 20
    assert resnet["ops"] == ["sum", "concat", "sk", "aff", "iaff"]
    assert in_process("spaces") == 0
    assert "resnet\n  depth: 20\n" in capsys.readouterr().out


CONFIG = "space: {depth: 14, width: 4, ops: [sum, aff], reductions: [2, 4], tie: stage}"


def test_spaces_shows_the_space_of_a_config(tmp_path, capsys):
    (tmp_path / "a.yaml").write_text(CONFIG)
    assert in_process("spaces", str(tmp_path / "a.yaml"), "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["size"] == 3**3
    assert found["space"]["settings"]["in_channels"] == 1
    assert [point["name"] for point in found["points"]] == [f"stage{s}.block{b}" for s in (1, 2, 3) for b in (1, 2)]
    assert found["points"][2]["choices"] == ["sum", "aff r=2", "aff r=4"]
    assert found["points"][2]["sizes"] == [[4, 4], [4, 4]]
    params = {row["choice"]: row["params"] for row in found["uniform"]}
    assert list(params) == ["sum", "aff r=4", "aff r=2"]
    assert params["sum"] < params["aff r=4"] < params["aff r=2"]
    assert in_process("spaces", str(tmp_path / "a.yaml")) == 0
    out = capsys.readouterr().out
    assert "27 architectures, 6 fusion points (tie: stage)" in out
    assert f"{params['aff r=2']:,}" in out


def test_spaces_by_name_counts_equal_networks_once(capsys):
    assert in_process("spaces", "resnet", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["space"]["settings"]["num_classes"] == 10
    assert [row["choice"] for row in found["uniform"] if row["choice"].startswith("sk")] == ["sk r=2"]


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ("search:\n  trails: 3", "bad.yaml:2: unknown key `trails` in `search`; did you mean `trials`?"),
        ("space:\n  ops: []", "bad.yaml:2: `space.ops` must name at least one entry"),
        ("train:\n  lr: fast", "bad.yaml:2: `train.lr` must be a number; got text `fast`."),
        ("space:\n  name: resnt", "bad.yaml:2: unknown space `resnt`; did you mean `resnet`?"),
        ("data:\n  path: somewhere", "bad.yaml:2: data set digits is not read from files"),
        ("space:\n  num_classes: 3", "bad.yaml:2: `space.num_classes` is 3"),
        (": :", "bad.yaml:1: "),
    ],
)
def test_a_bad_config_is_one_line_and_exit_code_2(tmp_path, monkeypatch, capsys, config, says):
    monkeypatch.chdir(tmp_path)
    Path("bad.yaml").write_text(config)
    assert in_process("spaces", "bad.yaml") == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(says)
    assert err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["bad.yaml"]


def test_the_process_itself_exits_with_the_code(tmp_path):
    (tmp_path / "bad.yaml").write_text("serch: 3")
    result = fusion_nas("spaces", str(tmp_path / "bad.yaml"))
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.endswith("bad.yaml:1: unknown key `serch`; did you mean `search`?\n")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("which", ["nope", "nope.yaml", "a directory"])
def test_a_space_that_does_not_exist(which, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("a directory").mkdir()
    assert in_process("spaces", which) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert which in err


def test_debug_shows_the_traceback_before_or_after_the_command(capsys):
    for arguments in (("--debug", "spaces", "nope"), ("spaces", "nope", "--debug")):
        assert in_process(*arguments) == 2
        err = capsys.readouterr().err
        assert "Traceback (most recent call last)" in err
        assert err.splitlines()[-1].startswith("unknown space `nope`")


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (errors.ConfigError("a"), 2, "a"),
        (errors.SpecError("b"), 2, "b"),
        (errors.UnknownNameError("thing", "x", ["y"]), 2, "unknown thing `x`; known: y"),
        (errors.DataError("c\nd"), 2, "c d"),
        (errors.RunError("e"), 2, "e"),
        (errors.Infeasible("f"), 3, "f"),
        (errors.Diverged("g"), 1, "g"),
        (errors.FusionNasError("h"), 1, "h"),
        (typer.Abort(), 130, "interrupted"),
        (ZeroDivisionError("i\nj"), 1, "internal error: ZeroDivisionError: i j (run with --debug for the traceback)"),
    ],
)
def test_every_error_has_its_code_and_its_line(error, code, line, capsys):
    def command() -> None:
        raise error

    app = typer.Typer()
    app.command()(command)
    assert run(app, []) == code == exit_code(error)
    assert capsys.readouterr().err == f"{line}\n"


@pytest.mark.parametrize("code", [0, 1, 130])
def test_a_command_may_choose_its_code(code, capsys):
    app = typer.Typer()

    @app.command()
    def command() -> None:
        raise typer.Exit(code)

    assert run(app, []) == code
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("words", "line"), [((), "interrupted"), (("how to go on",), "interrupted: how to go on")])
def test_ctrl_c_exits_with_130(words, line, capsys):
    app = typer.Typer()

    @app.command()
    def command() -> None:
        raise KeyboardInterrupt(*words)

    assert run(app, []) == 130
    assert capsys.readouterr().err == f"{line}\n"
    assert exit_code(KeyboardInterrupt()) == 130


@pytest.mark.parametrize("buffered", [True, False])
@pytest.mark.parametrize("lines", [1, 100_000])
def test_a_reader_that_has_enough_is_no_error(lines, buffered):
    script = (
        "import sys, typer; from search.cli.errors import run; app = typer.Typer()\n"
        "@app.command()\n"
        f"def command(): print('line\\n' * {lines})\n"
        "sys.exit(run(app, []))"
    )
    reading, writing = os.pipe()
    os.close(reading)
    environment = {**os.environ, "PYTHONUNBUFFERED": "" if buffered else "1"}
    result = subprocess.run(
        [sys.executable, "-c", script], stdout=writing, stderr=subprocess.PIPE, text=True, env=environment
    )
    os.close(writing)
    assert result.stderr == ""
    assert result.returncode == 1


def test_doctor_finds_what_is_installed(capsys):
    assert in_process("doctor") == 0
    out = capsys.readouterr().out
    for package in ("python", "torch", "optuna", "ray", "pandas", "scikit-learn"):
        assert any(line.startswith(f"{package} ") for line in out.splitlines())
    assert "PROBLEM" not in out
    assert "\ndevice " in out


def test_doctor_names_what_is_missing_or_too_old(monkeypatch, capsys):
    from importlib import metadata

    real = metadata.version

    def version(name: str) -> str:
        if name == "plotly":
            raise metadata.PackageNotFoundError(name)
        return "4.1.0" if name == "optuna" else real(name)

    monkeypatch.setattr(metadata, "version", version)
    assert in_process("doctor") == 1
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert "not installed  PROBLEM: needed; run `pip install 'plotly>=6'`" in lines["plotly"]
    assert "4.1.0  PROBLEM: needs >=5; run `pip install 'optuna>=5'`" in lines["optuna"]
    assert "PROBLEM" not in lines["torch"]


def test_each_outcome_of_a_verdict_has_a_code_that_no_error_has():
    codes = {outcome: verdict_code(outcome) for outcome in OUTCOMES}
    assert codes == {"better": 0, "same": 10, "worse": 11, "undecided": 12}
