"""Reading a run directory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

import reports
from fusion_ops.errors import ConfigError, RunError, UnknownNameError
from reports.measures import Measure, declare
from reports.run.run import FORMAT, load_run


def test_a_run_is_read(make_run: Callable[..., Path]) -> None:
    run = load_run(make_run(objectives=("accuracy", "params"), name="my run"))
    assert run.name == "my run"
    assert run.objectives == ("accuracy", "params")
    assert run.objective_labels == ("accuracy", "parameters")
    assert run.quality.name == "accuracy"
    assert [measure.name for measure in run.measures] == ["accuracy", "params", "flops", "loss"]
    assert (run.epochs, run.trials) == (8, 40)
    assert run.dataset["validation"] == 288
    assert run.environment["torch"] == "2.13.0"
    assert len(run.table) == 40
    assert run.ranked["rank"].iloc[0] == 1
    assert run.checkpoint("abc") == run.path / "checkpoints" / "abc" / "model.safetensors"


def test_a_user_defined_objective_that_was_measured_nowhere(
    make_run: Callable[..., Path], make_records: Callable[..., list[dict[str, Any]]], tmp_path: Path
) -> None:
    own = declare(Measure("of_run:errors", "errors", "minimize", "number", "of_run:errors", quality=True))
    failed = [row for row in make_records() if row["state"] == "failed"]
    run = make_run(failed, objectives=(own.name, "params"), resolved={"measures": [asdict(own)]})
    assert own.column not in (run / "candidates.csv").read_text(encoding="utf-8")
    assert load_run(run).ranked[own.column].empty
    assert reports.verdict(run).outcome == "undecided"
    for pick in ("best", "knee"):
        with pytest.raises(RunError, match="run demo has no complete candidate yet, so there is none to export"):
            reports.export(run, tmp_path / "exported", pick=pick)


def test_what_a_run_does_not_say_is_unknown(make_run: Callable[..., Path]) -> None:
    run = load_run(make_run(train=None, search="?", resolved=None))
    assert (run.epochs, run.trials) == (None, None)
    assert dict(run.dataset) == dict(run.environment) == {}


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"there is no run directory .*nowhere"):
        load_run(tmp_path / "nowhere")


def test_a_folder_without_a_config_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"is not a run directory: it has no config\.yaml"):
        load_run(tmp_path)


def test_a_run_of_a_newer_version_is_refused(make_run: Callable[..., Path]) -> None:
    run = make_run(resolved={"format": FORMAT + 1, "environment": {"fusion_nas": "7.0"}})
    with pytest.raises(RunError, match=r"written by fusion-nas 7\.0, in format 2; this version reads format 1"):
        load_run(run)


def test_a_run_without_candidates_says_so(make_run: Callable[..., Path]) -> None:
    run = make_run()
    (run / "candidates.csv").unlink()
    with pytest.raises(RunError, match="the run has no candidates yet"):
        load_run(run)


def test_a_run_that_was_killed_before_its_first_candidate_ended_has_none(make_run: Callable[..., Path]) -> None:
    run = make_run()
    (run / "candidates.csv").unlink()
    (run / "log.jsonl").write_text('{"event": "launched"}\n{"event": "started", "number": 0}\n', encoding="utf-8")
    assert load_run(run).table.empty
    assert "nothing has been trained yet" in reports.write_html(run).read_text(encoding="utf-8")
    (run / "log.jsonl").write_text('{"event": "finished", "number": 0}\n', encoding="utf-8")
    with pytest.raises(RunError, match="the run has no candidates yet"):
        load_run(run)


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("a: [1", RunError, r"config\.yaml cannot be read"),
        ("just text", RunError, "it has no list `objectives`"),
        ("objectives: accuracy", RunError, "it has no list `objectives`"),
        ("objectives: [1, 2]", RunError, "it has no list `objectives`"),
        ("objectives: [accuracies]", UnknownNameError, "did you mean `accuracy`"),
        ("objectives: [params]", ConfigError, "`objectives` needs one of"),
    ],
)
def test_a_damaged_config_is_refused(
    text: str, error: type[Exception], message: str, make_run: Callable[..., Path]
) -> None:
    run = make_run()
    (run / "config.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(error, match=message):
        load_run(run)
