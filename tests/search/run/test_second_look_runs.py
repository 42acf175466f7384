"""A whole run whose stopped candidate is looked at again: it goes on from there, and nothing counts twice."""

from __future__ import annotations

import html
import json
from pathlib import Path

import optuna
import pandas as pd
import pytest

from reports.panels.learning import learning_info
from reports.panels.progress import progress_info
from reports.panels.verdict import verdict_info
from reports.run.catalog import make_catalog
from reports.run.run import load_run
from tests.runs import check_sound, events, in_process

pytestmark = pytest.mark.slow

CONFIG = """
space: {name: resnet, depth: 8, width: 4, ops: [sum, concat, aff], reductions: [2]}
data: {name: digits}
train: {epochs: 4, batch_size: 128, lr: 0.2}
objectives: [accuracy]
search: {trials: 9, sampler: random, pruner: percentile, seed: 1}
"""


@pytest.fixture(scope="module")
def stopped(tmp_path_factory) -> Path:
    """A run that has ended, one candidate of which at least was stopped and is proposed again."""
    folder = tmp_path_factory.mktemp("looks")
    (folder / "small.yaml").write_text(CONFIG)
    done = in_process("launch", folder / "small.yaml", "--run-dir", folder / "run")
    assert done.returncode == 0, done.stderr
    return folder / "run"


def states(run: Path) -> set[int]:
    return {int(path.stem.partition("-")[2]) for path in (run / "checkpoints").glob("*/training-*.pt")}


def propose_again(run: Path, number: int) -> None:
    journal = optuna.storages.journal.JournalFileBackend(str(run / "study.journal"))
    study = optuna.load_study(study_name=None, storage=optuna.storages.JournalStorage(journal))
    study.enqueue_trial(study.trials[number].params)


def test_a_second_look_goes_on_and_its_epochs_count_once(stopped: Path) -> None:
    table = check_sound(stopped, 9).set_index("number")
    pruned = table.index[table["state"] == "pruned"]
    assert len(pruned) >= 2
    # What was stopped keeps its state, and nothing else does.
    assert states(stopped) == set(pruned)
    first, second = map(int, pruned[:2])
    propose_again(stopped, first)
    resumed = in_process("resume", stopped, "--set", "search.trials=10")
    assert resumed.returncode == 0, resumed.stderr
    whole = check_sound(stopped, 10)
    look = whole.iloc[-1]
    taken = int(table.loc[first, "epochs"])
    assert (look["id"], look["start"], look["before"]) == (table.loc[first, "id"], first, taken)
    assert (look["state"], look["epochs"]) == ("complete", 4)
    before, after = (json.loads(text) for text in (table.loc[first, "curve"], look["curve"]))
    assert after[:taken] == before
    assert states(stopped) == set(map(int, pruned)) - {first}
    (stage,) = events(stopped, "ended")[-1]["stages"].values()
    trained = whole[whole["state"] != "duplicate"]
    assert stage["epochs"] == trained["epochs"].sum() - taken
    run = load_run(stopped)
    catalog = make_catalog(run)
    assert verdict_info(run, catalog).verdict.budget.epochs == stage["epochs"]
    assert progress_info(run, catalog).searches[0].epochs[-1] == stage["epochs"]
    left = whole[(whole["state"] == "pruned") & (whole["number"] != first)]
    assert learning_info(run, catalog).saved == (4 - left["epochs"]).sum()
    assert "1 stopped candidate got a second look" in html.unescape((stopped / "report.html").read_text())

    # Where there is no room, the states go, and a second look says that it began again.
    propose_again(stopped, second)
    limited = ["--set", "search.trials=11", "--set", "limits.checkpoint_gb=1e-6"]
    resumed = in_process("resume", stopped, *limited)
    assert resumed.returncode == 0, resumed.stderr
    look = check_sound(stopped, 11).iloc[-1]
    assert (look["id"], look["state"], look["epochs"]) == (table.loc[second, "id"], "complete", 4)
    assert events(stopped, "state_removed")
    assert pd.isna(look["before"]) or look["before"] in (0, table.loc[second, "epochs"])
    assert (look["before"] == 0) == ("began again: the state of candidate" in look["reason"])
    assert not states(stopped)
