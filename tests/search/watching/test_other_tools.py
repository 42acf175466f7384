"""The study in optuna-dashboard, and TensorBoard's event files read back by TensorBoard itself."""

from __future__ import annotations

import importlib.util
import json
import threading
import urllib.request
import warnings
from pathlib import Path
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest

from fusion_ops.errors import ConfigError
from search.cli import app, errors, launch  # noqa: F401 - the import registers the command
from search.training.job import Progress
from search.watching.tensorboard import TensorBoardFiles, require_tensorboard


def trained(ledger, accuracies: list[float], *, done: bool):
    candidate = ledger.ask()
    curve = tuple({"accuracy": value, "loss": 1 - value} for value in accuracies)
    ledger.report(candidate.number, Progress(curve, 1.0, "host:1", done, measured={"latency_ms": 2.5}))
    return candidate


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    reader = EventAccumulator(str(folder))
    reader.Reload()
    return {
        tag: [(event.step, round(event.value, 6)) for event in reader.Scalars(tag)] for tag in reader.Tags()["scalars"]
    }


def test_event_files_are_read_by_tensorboard(open_ledger, tmp_path: Path):
    ledger = open_ledger(pruner="none", epochs=3)
    files = TensorBoardFiles(tmp_path)
    first = trained(ledger, [0.25], done=False)
    files.update("progress", first)
    first.curve.append({"accuracy": 0.5, "loss": 0.5})
    files.update("progress", first)
    first.curve.append({"accuracy": 0.75, "loss": 0.25})
    ledger.finish(first.number, "complete")
    files.update("finished", first)
    folder = tmp_path / "tensorboard" / f"0000-{first.architecture.id}"
    told = scalars(folder)
    assert told["validation/accuracy"] == [(1, 0.25), (2, 0.5), (3, 0.75)]
    assert told["validation/loss"] == [(1, 0.75), (2, 0.5), (3, 0.25)]
    assert told["cost/params"] == [(3, first.params)]
    assert told["cost/flops"] == [(3, first.flops)]
    assert told["cost/latency_ms"] == [(3, 2.5)]


def test_choices_are_hyperparameters(open_ledger, tmp_path: Path):
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
    from tensorboard.plugins.hparams import metadata

    ledger = open_ledger()
    candidate = trained(ledger, [0.5], done=True)
    TensorBoardFiles(tmp_path, [candidate])
    (path,) = tmp_path.glob("tensorboard/*/events*")
    values = [value for event in EventFileLoader(str(path)).Load() for value in event.summary.value]
    told = {value.tag: value.metadata.plugin_data.content for value in values}
    start = metadata.parse_session_start_info_plugin_data(told[metadata.SESSION_START_INFO_TAG])
    shown = {name: value.string_value for name, value in start.hparams.items()}
    assert shown == {name: str(choice) for name, choice in candidate.architecture.choices} | {"kind": "search"}


def test_a_resumed_run_writes_no_epoch_twice(open_ledger, tmp_path: Path):
    ledger = open_ledger(pruner="none", epochs=3)
    candidate = trained(ledger, [0.25, 0.5], done=False)
    TensorBoardFiles(tmp_path, [candidate])
    again = TensorBoardFiles(tmp_path, [candidate])
    candidate.curve.append({"accuracy": 0.75, "loss": 0.25})
    again.update("progress", candidate)
    (folder,) = (tmp_path / "tensorboard").iterdir()
    assert [step for step, _ in scalars(folder)["validation/accuracy"]] == [1, 2, 3]


def test_what_was_never_trained_has_no_file(open_ledger, tmp_path: Path):
    ledger = open_ledger()
    candidate = ledger.ask()
    ledger.finish(candidate.number, "infeasible", "too large")
    TensorBoardFiles(tmp_path, [candidate])
    assert not (tmp_path / "tensorboard").exists()


def test_the_flag_without_the_package_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    require_tensorboard()
    real = importlib.util.find_spec
    monkeypatch.setattr(
        "search.watching.tensorboard.find_spec", lambda name: None if name == "tensorboard" else real(name)
    )
    with pytest.raises(ConfigError, match=r"pip install fusion-nas\[tensorboard\]"):
        require_tensorboard()
    (tmp_path / "config.yaml").write_text("space: {depth: 8}")
    arguments = ["launch", str(tmp_path / "config.yaml"), "--tensorboard", "--run-dir", str(tmp_path / "run")]
    assert errors.run(app.app, arguments) == 2
    assert "fusion-nas[tensorboard]" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


class Silent(WSGIRequestHandler):
    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


def test_the_study_opens_in_optuna_dashboard(open_ledger, tmp_path: Path):
    import optuna_dashboard

    ledger = open_ledger(pruner="none")
    candidates = [trained(ledger, [0.5, 0.5 + 0.1 * number], done=True) for number in range(3)]
    dashboard = optuna_dashboard.wsgi(str(tmp_path / "study.journal"))
    with make_server("127.0.0.1", 0, dashboard, handler_class=Silent) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()

        def read(path: str):
            with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}{path}", timeout=30) as answer:
                return json.load(answer)

        try:
            (summary,) = read("/api/studies")["study_summaries"]
            detail = read(f"/api/studies/{summary['study_id']}")
        finally:
            server.shutdown()
            thread.join()
    assert summary["directions"] == ["maximize", "minimize"]
    assert [trial["state"] for trial in detail["trials"]] == ["Complete"] * 3
    told = [[float(value) for value in trial["values"]] for trial in detail["trials"]]
    assert told == [[max(0.5, 0.5 + 0.1 * number), one.params] for number, one in enumerate(candidates)]
    assert detail["objective_names"] == ["accuracy", "params"]
