"""Commands that messages advise can be pasted into a shell, whatever the run directory is called."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from fusion_ops.errors import RunError
from search.study.run_directory import RunDirectory
from search.watching.status import ending, how_to_resume


def commands(text: str) -> list[list[str]]:
    return [shlex.split(part) for part in text.split("`")[1::2] if part.startswith("fusion-nas")]


def test_a_run_that_is_there_is_continued_by_its_path(tmp_path: Path) -> None:
    run = tmp_path / "first run (May)"
    run.mkdir()
    (run / "config.yaml").write_text("{}")
    with pytest.raises(RunError) as refused:
        RunDirectory(run).require_new()
    assert commands(str(refused.value)) == [["fusion-nas", "resume", str(run)]]


@pytest.mark.parametrize("ended_by", ["search.patience", "search.timeout", "limits.device_hours"])
def test_a_run_that_ended_goes_on_by_its_path(ended_by: str) -> None:
    status = {"path": "/runs/first run", "done": 3, "trials": 9, "ended_by": ended_by}
    config = {"search": {"patience": 5, "timeout": 60}, "limits": {"device_hours": 0.5}}
    (command,) = commands(str(ending(status, config)))
    assert command[:3] == ["fusion-nas", "resume", "/runs/first run"]


def test_a_run_that_was_interrupted_goes_on_by_its_path() -> None:
    status = {"path": "/runs/first run", "done": 3, "trials": 9, "search_ended": False, "retraining": None}
    assert commands(how_to_resume(status)) == [["fusion-nas", "resume", "/runs/first run"]]
