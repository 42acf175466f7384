"""Whole runs of short trainings: what is trained from scratch as well, what is said of it, and what comes after."""

from __future__ import annotations

import html
import json
import os
import signal
from pathlib import Path

import pandas as pd
import pytest

from reports.run.run import load_run
from tests.runs import check_sound, driving, events, export_and_verify, in_process, wait_for_more

pytestmark = pytest.mark.slow

CONFIG = """
space: {name: resnet, depth: 8, width: 4, ops: [sum, concat, aff], reductions: [2, 4]}
data: {name: digits}
train: {epochs: 6, batch_size: 128, lr: 0.2, init: sum}
objectives: [accuracy, params]
search: {trials: 6, sampler: random, pruner: none, seed: 1, strategy: inherit}
strategy: {trust: 4}
"""


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("trusted")
    (folder / "small.yaml").write_text(CONFIG)
    done = in_process("launch", folder / "small.yaml", "--run-dir", folder / "run")
    assert done.returncode == 0, done.stderr
    (folder / "launch.out").write_text(done.stdout)
    (folder / "launch.err").write_text(done.stderr)
    return folder


def rows(run: Path) -> pd.DataFrame:
    return pd.read_csv(run / "candidates.csv", dtype={"id": str}, keep_default_na=False)


def test_a_sample_is_trained_from_scratch_for_as_long_as_a_whole_training(finished: Path) -> None:
    table = rows(finished / "run")
    parts = dict(iter(table.groupby("series")))
    assert {series: len(part) for series, part in parts.items()} == {"parent": 1, "": 6, "trust": 4}
    assert list(parts["parent"]["epochs"]) == [6]
    assert set(parts[""]["epochs"]) == {2}
    assert set(parts["trust"]["epochs"]) == {6}
    assert set(parts["trust"]["start"]) == {""}
    assert set(parts["trust"]["id"]) <= set(parts[""]["id"])
    # The search's pick is among them.
    best = parts[""].loc[parts[""]["accuracy"].astype(float) == parts[""]["accuracy"].astype(float).max(), "id"]
    assert set(best) & set(parts["trust"]["id"])
    # Nothing takes what was trained from scratch for a result of the search.
    assert not pd.concat([parts["trust"], parts["parent"]])["on_front"].any()
    assert not list((finished / "run" / "checkpoints").glob("*/training-*.pt"))


def test_the_log_the_end_the_status_and_the_report_say_how_far_it_goes(finished: Path) -> None:
    run = finished / "run"
    (ended,) = events(run, "ended")
    assert {name: (cost["trainings"], cost["epochs"]) for name, cost in ended["stages"].items()} == {
        "parent": (1, 6), "search": (6, 12), "trust": (4, 24)}  # fmt: skip
    seconds = sum(cost["device_seconds"] for cost in ended["stages"].values())
    assert seconds == pytest.approx(3600 * ended["device_hours"], rel=0.01)
    assert ended["trust"]["architectures"] == 4
    sentence = ended["trust"]["sentence"]
    assert "short trainings rank" in sentence
    assert f"trust   {sentence}" in (finished / "launch.out").read_text()
    err = (finished / "launch.err").read_text()
    assert "training the parent, with whose weights candidates begin" in err
    assert "training some from scratch, to see how far the ranking holds" in err
    assert sentence in err
    assert f"trust       {sentence}" in in_process("status", run).stdout
    assert json.loads(in_process("status", run, "--json").stdout)["trust"] == ended["trust"]
    page = html.unescape((run / "report.html").read_text())
    assert sentence[0].upper() + sentence[1:] in page
    assert "All values are of short trainings, which began with trained weights: after 2 epochs" in page


def test_the_best_that_is_shown_is_the_searchs(finished: Path) -> None:
    run, err = finished / "run", (finished / "launch.err").read_text()
    searched = rows(run)
    best = searched[searched["series"] == ""].astype({"accuracy": float})["accuracy"].max()
    shown = [line for line in err.splitlines() if "best accuracy" in line]
    assert f"best accuracy {100 * best:.2f} %" in shown[-1]
    assert json.loads(in_process("status", run, "--json").stdout)["best"]["accuracy"] == pytest.approx(best)


def test_the_plan_says_what_is_trained_beside(finished: Path) -> None:
    out = in_process("launch", finished / "small.yaml", "--dry-run").stdout
    assert "6 candidates of 2 epochs" in out
    assert "inherit: a parent of 6 epochs, with whose weights candidates begin" in out
    assert "then up to 4 of them from scratch, 6 epochs each, for trust" in out


def test_its_epochs_are_those_of_its_candidates(finished: Path) -> None:
    run = load_run(finished / "run")
    assert (run.epochs, run.whole_epochs, run.epochs_key, run.devices) == (2, 6, "strategy.epochs", 1.0)


def test_a_resume_looks_at_more_and_retrains_nothing(finished: Path) -> None:
    run = finished / "run"
    before = rows(run).set_index("number")
    resumed = in_process("resume", run, "--set", "strategy.trust=5")
    assert resumed.returncode == 0, resumed.stderr
    after = rows(run).set_index("number")
    assert len(after) == len(before) + 1
    assert (after.loc[before.index, "finished"] == before["finished"]).all()
    assert after["series"].iloc[-1] == "trust"
    assert events(run, "ended")[-1]["trust"]["architectures"] == 5


def test_a_retraining_is_from_scratch_and_whole_and_an_export_delivers_the_winner(finished: Path) -> None:
    run = finished / "run"
    assert "verified" in export_and_verify(run, finished / "before", command=in_process).lower()
    again = in_process("retrain", run, "--top", "1", "--seeds", "3")
    assert again.returncode == 0, again.stderr
    table = rows(run)
    trained = table[(table["kind"] == "retrain") & (table["state"] == "complete")]
    assert len(trained) > 1
    assert set(trained["epochs"]) == {6}
    assert set(trained["start"]) == {""}
    page = html.unescape((run / "report.html").read_text())
    assert "of a short training, which began with trained weights; retraining, from scratch, shows" in page
    assert "The winner's curse" not in page
    export_and_verify(run, finished / "after", command=in_process)


@pytest.mark.faults
def test_a_driver_that_is_killed_amid_it_goes_on_with_the_same_sample(tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(CONFIG.replace("epochs: 6", "epochs: 16"))
    run = tmp_path / "run"
    with driving("launch", tmp_path / "small.yaml", "--run-dir", run) as driver:
        while wait_for_more(driver, run, "progress")["number"] < 7:
            pass
        os.kill(driver.pid, signal.SIGKILL)
    resumed = in_process("resume", run)
    assert resumed.returncode == 0, resumed.stderr
    table = rows(run)
    again = table[table["series"] == "trust"]
    assert len(again) == again["id"].nunique() == 4
    assert set(again["state"]) == {"complete"}
    assert set(again["epochs"].astype(int)) == {16}
    assert (again["retries"].astype(int) > 0).any()
    check_sound(run, 11)
