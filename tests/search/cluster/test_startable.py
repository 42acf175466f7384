"""What keeps Ray from starting is one line before anything is written, and no Ray of the caller is ended."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.runs import COMMAND, check_sound, in_process

CONFIG = """
space: {name: resnet, depth: 8, width: 4, ops: [sum, concat], reductions: [2]}
train: {epochs: 1}
search: {trials: 2, sampler: random, pruner: none}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG)
    return path


def refused(config: Path, **settings) -> str:
    """Launch a run that Ray cannot carry; return the line that says why."""
    run = config.parent / "run"
    arguments = [*COMMAND, "launch", str(config), "--run-dir", str(run)]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=120, **settings)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert not run.exists()
    return done.stderr


def test_a_temporary_folder_with_too_long_a_path_is_named(config: Path, tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 100)
    folder.mkdir()
    said = refused(config, env=os.environ | {"TMPDIR": str(folder)})
    assert f"got {len(str(folder))}: {folder}. Set TMPDIR" in said


@pytest.mark.faults
def test_a_full_temporary_folder_is_named(config: Path) -> None:
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], capture_output=True).returncode:
        pytest.skip("needs the right to mount a small disk")
    try:
        said = refused(config, env=os.environ | {"TMPDIR": str(folder)})
    finally:
        subprocess.run(["umount", "-l", folder], check=True)
        folder.rmdir()
    assert f"got 0.1 MB in {folder}. Make room, or set TMPDIR" in said


@pytest.mark.faults
def test_too_few_open_files_are_named(config: Path) -> None:
    said = refused(config, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (70, 70)))
    assert "open files at a time; got 70. Raise the limit: ulimit -n" in said


UNSTARTABLE = """
import sys, time
from pathlib import Path
import ray, search
def init(*arguments, **settings):
    raise RuntimeError("no port is free.\\nA paragraph more")
ray.init = init
run, url = Path(sys.argv[2]), f"sqlite:///{sys.argv[3]}"
for _ in range(2):
    try:
        search.launch(search.SearchConfig.load(sys.argv[1], overrides={"storage.url": url}), run)
    except Exception as error:
        print(type(error).__mro__[1].__name__, "|", error, "|", run.exists())
"""


@pytest.mark.faults
def test_whatever_else_keeps_ray_from_starting_is_one_line_and_leaves_nothing(config: Path, tmp_path: Path) -> None:
    """The second launch finds neither a run directory nor a study of that name."""
    arguments = [sys.executable, "-c", UNSTARTABLE, config, tmp_path / "run", tmp_path / "study.db"]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=120)
    assert done.stdout.splitlines() == ["RunError | Ray does not start: no port is free. | False"] * 2, done.stderr


BESIDE = """
import sys
from pathlib import Path
import ray, search
from fusion_ops.errors import RunError
ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
kept, run, config = ray.put("kept"), Path(sys.argv[2]), search.SearchConfig.load(sys.argv[1])
for start in (lambda: search.launch(config, run), lambda: search.resume(sys.argv[3])):
    try:
        start()
    except RunError as error:
        print(error)
print(ray.is_initialized() and ray.get(kept), run.exists(), flush=True)
ray.shutdown()
search.launch(config, run)
ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
print(ray.get(ray.put("again")))
"""


@pytest.mark.faults
def test_the_callers_ray_is_never_ended(config: Path, tmp_path: Path) -> None:
    ended = tmp_path / "ended"
    assert in_process("launch", config, "--run-dir", ended).returncode == 0
    arguments = [sys.executable, "-c", BESIDE, config, tmp_path / "run", ended]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    refusal, again, state, after = done.stdout.splitlines()
    assert refusal == again
    assert "a process that uses Ray already. Call `ray.shutdown()` first" in refusal
    assert (state, after) == ("kept False", "again")
    check_sound(tmp_path / "run", 2)


@pytest.fixture
def started():
    from search.cluster.ray_private import StartedProcesses

    processes = StartedProcesses()
    yield processes
    processes.end()


def start(code: str, name: str) -> subprocess.Popen[bytes]:
    from ray._private import services

    return services.start_ray_process([sys.executable, "-c", code], name, fate_share=True).process


def test_a_server_that_has_ended_is_not_waited_for(started) -> None:
    from ray._private import services

    from fusion_ops.errors import RunError

    with started.watched(lambda: False):
        start("raise SystemExit(3)", "raylet").wait()
        with pytest.raises(RunError, match="its raylet ended with exit code 3"):
            services.get_node("127.0.0.1:1", "0")


def test_a_raylet_is_asked_for_once_it_is_there(started, monkeypatch: pytest.MonkeyPatch) -> None:
    from ray._private import services

    from search.cluster import ray_private

    asked: list[str] = []
    monkeypatch.setattr(ray_private, "_is_registered", lambda *_: asked.append("there?") or len(asked) == 3)
    monkeypatch.setattr(services, "get_node", lambda *_: asked.append("node"))
    with started.watched(lambda: False):
        services.get_node("127.0.0.1:1", "0")
    assert asked == ["there?"] * 3 + ["node"]


def test_a_node_is_registered_once_ray_has_begun() -> None:
    code = """
import ray
from search.cluster.ray_private import _is_registered
ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False)
address, (node,) = ray.get_runtime_context().gcs_address, ray.nodes()
print(_is_registered(address, node["NodeID"]), _is_registered(address, "0" * len(node["NodeID"])))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["True", "False"], done.stderr


def test_a_start_that_is_stopped_starts_nothing_more(started) -> None:
    from fusion_ops.errors import RunError

    with started.watched(lambda: True), pytest.raises(RunError, match="it was stopped"):
        start("", "raylet")


def test_what_a_start_has_left_is_ended_and_handlers_stay(started) -> None:
    from ray._private import utils

    before = signal.getsignal(signal.SIGTERM)
    with started.watched(lambda: False):
        process = start("import time; time.sleep(60)", "gcs_server")
        utils.set_sigterm_handler(lambda *_: None)
    started.end()
    assert process.poll() == -signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) is before


def test_the_last_error_in_rays_logs_is_found(tmp_path: Path) -> None:
    from search.cluster.ray_private import complaint

    logs = tmp_path / "session_2026-01-01_00-00-00_000000_1" / "logs"
    logs.mkdir(parents=True)
    assert complaint(tmp_path) == ""
    (logs / "gcs_server.err").write_text("E1128 15:25:56.57   30811 tcp_posix.cc:378]      Limit reached.\nOther\n")
    assert complaint(tmp_path) == "Limit reached"
    line = "[2026-11-28 15:25:47,405 {} 30602 30689] (raylet) agent.cc:81: {}.\n"
    (logs / "raylet.out").write_text(line.format("C", "An agent failed") + line.format("I", "All is well"))
    assert complaint(tmp_path) == "An agent failed"
