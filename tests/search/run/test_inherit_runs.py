"""Whole runs whose candidates begin with a parent's weights: killed within the parent, resumed, exported."""

from __future__ import annotations

from pathlib import Path

import pytest

from reports.candidates import table
from search.training.files import PASSED_ON
from tests.runs import events, export_and_verify, in_process, killed

CONFIG = """
space: {name: resnet, depth: 8, width: 4, ops: [sum, sk, aff], reductions: [2, 4]}
data: {name: digits}
train: {epochs: 4, batch_size: 128, lr: 0.2}
objectives: [accuracy, params]
search: {trials: 8, strategy: inherit, seed: 1}
strategy: {parent_epochs: 6, epochs: 2, lr: 1.0, trust: 0}
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A search that was killed while its parent was in training, and resumed."""
    folder = tmp_path_factory.mktemp("inherit")
    (folder / "inherit.yaml").write_text(CONFIG)
    killed(folder / "run", "progress", "launch", folder / "inherit.yaml", "--run-dir", folder / "run")
    done = in_process("resume", folder / "run")
    assert done.returncode == 0, done.stderr
    return folder / "run"


@pytest.mark.slow
def test_a_run_that_was_killed_within_its_parent_goes_on_with_it(run: Path) -> None:
    rows = table.read(run)
    parents = rows[rows["series"] == "parent"]
    assert list(parents["state"]) == ["complete"]
    parent = parents.iloc[0]
    assert (parent["epochs"], parent["retries"], parent["kind"]) == (6, 1, "control")
    # It went on, and was not begun again.
    assert events(run, "continued")[0]["number"] == parent["number"]
    assert not rows["reason"].str.contains("began again").any()
    searched = rows[rows["series"] == ""]
    assert (searched["start"] == parent["number"]).all()
    assert (searched.loc[searched["state"] == "complete", "epochs"] == 2).all()
    assert (run / "checkpoints" / parent["id"] / PASSED_ON.format(parent["number"])).is_file()


@pytest.mark.slow
def test_candidates_begin_where_the_parent_ended(run: Path) -> None:
    rows = table.read(run)
    parent = rows[rows["series"] == "parent"].iloc[0]
    searched = rows[(rows["series"] == "") & (rows["state"] == "complete")]
    # Two epochs from scratch stay far below.
    assert searched["accuracy"].min() > parent["accuracy"] - 0.1


@pytest.mark.slow
def test_the_sum_of_such_a_run_is_trained_on_like_any_other(run: Path) -> None:
    rows = table.read(run)
    parent = rows[rows["series"] == "parent"].iloc[0]
    sums = rows[(rows["id"] == parent["id"]) & (rows["kind"] == "baseline")]
    assert list(sums["epochs"]) == [2]


@pytest.mark.slow
def test_such_a_run_is_resumed_reported_and_exported(run: Path, tmp_path: Path) -> None:
    more = in_process("resume", run, "--set", "search.trials=9")
    assert more.returncode == 0, more.stderr
    check_sound_but_for_stages(run, 9)
    assert "Verified" in export_and_verify(run, tmp_path / "out", command=in_process)


def check_sound_but_for_stages(run: Path, expected: int) -> None:
    rows = table.read(run)
    assert (rows["series"] != "").sum() == 1
    assert rows.loc[rows["series"] == "", "state"].isin(["complete", "pruned", "failed"]).sum() == expected
    assert not (rows["state"] == "running").any()


@pytest.mark.slow
def test_a_parent_that_diverges_ends_the_run_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "wild.yaml").write_text(CONFIG.replace("lr: 0.2", "lr: 1.0e+9"))
    launched = in_process("launch", tmp_path / "wild.yaml", "--run-dir", tmp_path / "run")
    assert launched.returncode == 2
    assert "the parent of all candidates could not be trained: non-finite loss" in launched.stderr
    assert "fusion-nas resume" in launched.stderr
