"""`fusion-nas retrain`: a whole one on digits, one that is killed, and what is refused before anything starts."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from optuna.samplers import RandomSampler
from optuna.trial import TrialState
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

import reports
from fusion_ops.errors import FusionNasError, RunError
from reports.retrained.outcomes import read_outcomes
from reports.retrained.record import RETRAIN_FILE, RetrainRecord, read_retrain_record
from search.cli.errors import exit_code
from search.config import SearchConfig
from search.run.jobs import resume
from search.run.margin_ahead import margin_ahead
from search.run.retrain import prospect, retrain
from search.run.retrain_request import RetrainRequest
from search.run.run import Run
from search.run.same_config import state_config
from search.study.opening import create_study, load_study
from search.study.run_directory import RunDirectory
from search.watching.status import read_status
from tests.runs import contents, driving, fusion_nas, in_process, trials, wait_for_more
from tests.search.run.retrained_points import check_points, check_points_are_made_anew

pytestmark = pytest.mark.slow

CONFIG = """
space: {name: resnet, depth: 8, width: 4, ops: [sum, aff], reductions: [2]}
data: {name: digits}
train: {epochs: 2, batch_size: 128, lr: 0.2}
search: {trials: 3, sampler: random, pruner: none, seed: 1}
ray: {max_concurrent: 1}
"""
LONG = (
    CONFIG.replace("epochs: 2", "epochs: 8").replace("max_concurrent: 1", "max_concurrent: 2")
    + "objectives: [loss, params]\n"
)


def asked(*recipes: Path, top=1, seeds=(2, 2), budget=None, ablate=False) -> RetrainRequest:
    return RetrainRequest.checked(top, seeds, recipes, budget, ablate=ablate)


def launched(folder: Path, config: str) -> Path:
    (folder / "config.yaml").write_text(config)
    done = in_process("launch", folder / "config.yaml", "--run-dir", folder / "run")
    assert done.returncode == 0, done.stderr
    return folder / "run"


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose search has ended; not to be changed."""
    return launched(tmp_path_factory.mktemp("searched"), CONFIG)


@pytest.fixture
def run(searched: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(searched, tmp_path / "run"))


def retrained(run: Path) -> pd.DataFrame:
    rows = pd.read_csv(run / "candidates.csv", dtype={"id": str}, keep_default_na=False)
    return rows[rows["series"] == "retrain"]


def refused(run: Path, words: str, *recipes: Path, **arguments: object) -> None:
    """One line, exit code 2, and no file of the run is another."""
    before = contents(run)
    with pytest.raises(FusionNasError, match=words) as raised:
        retrain(run, asked(*recipes, **arguments))
    assert exit_code(raised.value) == 2
    assert "\n" not in str(raised.value)
    assert contents(run) == before


def test_a_whole_retraining_with_a_recipe_and_ablations_leaves_all_that_a_verdict_needs(run: Path) -> None:
    """Ended by its budget first, then gone on with; what was asked for is remembered."""
    long = run.parent / "long.yaml"
    long.write_text("epochs: 1\n")
    first = in_process("retrain", run, "--top", 1, "--seeds", 2, "--recipe", long, "--ablate", "--budget", "12epochs")
    assert first.returncode == 0, first.stderr
    assert "its budget of 12epochs is used up" in first.stdout
    begun = retrained(run)
    assert set(begun["state"]) == {"complete"}
    assert begun["epochs"].sum() <= 12
    assert set(begun["recipe"]) == {"default", "long"}
    done = fusion_nas("retrain", run, "--budget", "none", "--exit-code")
    verdict = json.loads((run / "verdict.json").read_text())
    assert done.returncode == {"better": 0, "same": 10, "worse": 11, "undecided": 12}[verdict["outcome"]], done.stderr
    assert {one["recipe"] for one in verdict["comparisons"]} == {"default", "long"}
    assert reports.verdict(run).outcome == verdict["outcome"]
    assert "over the sum" in done.stdout or "Keep the sum" in done.stdout or "Undecided" in done.stdout
    record, rows = read_retrain_record(run), retrained(run)
    assert record is not None
    check_whole(run, rows, record)
    assert rows.set_index("number").loc[begun["number"], "finished"].tolist() == begun["finished"].tolist()
    assert "test accuracy" in done.stdout
    assert (run / "report.html").stat().st_size > 10_000
    status = read_status(run)["retraining"]
    assert (status["run"], status["ended_by"], status["done"], status["most"]) == ("ended", None, len(rows), len(rows))

    points = check_points(run, rows, verdict["candidate"])
    again = Run(run).retrain(top=1, seeds=2)
    assert not again.interrupted
    assert retrained(run).equals(rows)
    assert check_points(run, rows, verdict["candidate"]) == points  # nothing is looked at twice
    check_points_are_made_anew(run)
    check_outcomes_are_looked_at_before_anything_starts(run)
    (run / RETRAIN_FILE).unlink()
    with pytest.raises(RunError, match="of a recipe `long`, which is not known any more; give --recipe FILE"):
        prospect(run, asked())
    assert prospect(run, asked(long)).record.recipes["long"] == {"epochs": 1}


def check_outcomes_are_looked_at_before_anything_starts(run: Path) -> None:
    """What is missing, damaged or of another data set is named; what is restored is taken."""
    files = {path: path.read_bytes() for path in run.glob("checkpoints/*/test-*.safetensors")}
    path = min(files)

    def write(one: Path, values: Callable[[dict], dict] = dict, **header: str) -> None:
        one.write_bytes(files[one])
        with safe_open(one, "numpy") as file:
            known = file.metadata()
        save_file(values(load_file(one)), one, metadata=known | header)

    path.write_bytes(files[path][:-10])
    refused(run, rf"^{path}, what the images got, is damaged \(.*\); restore it from a copy\.$", seeds=(2, 4))
    path.unlink()
    refused(run, rf"^{path}, what the images got, is missing; restore it from a copy\.$")
    write(path, test_set="0" * 32)
    refused(run, "was made with other test images than .*Restore the file that is not of this run from a copy")
    write(path, lambda values: {"loss": values["loss"]})
    refused(run, "has the measures .*; restore the file that is not of this run from a copy")
    for one in files:
        write(one, test_set="0" * 32)
    refused(run, "with other test images than those of the data set; put the data set of the retraining back or")
    for one in files:
        write(one, lambda values: {"loss": values["loss"]})
    refused(run, "has no measure `accuracy`, but loss; restore it from a copy")
    for one in files:
        write(one, lambda values: {name: array[:-1].copy() for name, array in values.items()})
    refused(run, "has 358 test images, the data set 359; restore it from a copy")
    for one, content in files.items():
        one.write_bytes(content)
    assert prospect(run, asked()).outcomes.keys() == read_outcomes(run).keys()


def check_whole(run: Path, rows: pd.DataFrame, record: RetrainRecord) -> None:
    """Everyone has every seed under every recipe, and table and files say the same of the test images."""
    assert set(rows["state"]) == {"complete"}
    assert len(rows.groupby(["id", "recipe", "seed"])) == len(rows)
    own = [one for one in record.participants if one.role != "ablation"]
    apart = [one for one in record.participants if one.role == "ablation"]
    assert len(rows) == 2 * 2 * len(own) + 2 * len(apart)
    assert set(rows.loc[rows["recipe"] == "long", "epochs"]) == {1}
    assert set(rows["seed"]) == set(record.seed_list)
    assert {"finalist", "original"} <= set(rows["role"])
    assert set(rows.loc[rows["kind"] == "control", "role"]) <= {"matched_params", "matched_flops"}
    for (identity, recipe), found in read_outcomes(run).items():
        same = rows[(rows["id"] == identity) & (rows["recipe"] == recipe)].sort_values("number")
        assert found.values["accuracy"].shape == (2, record.test_images)
        measured = same["test_accuracy"].astype(float).to_numpy()
        assert np.allclose(found.values["accuracy"].mean(axis=1), measured, atol=1e-6)
    assert not list((run / "checkpoints").glob("*/training-*"))
    assert len(list((run / "checkpoints").glob("*/retrained-*"))) == len(rows)


@pytest.mark.faults
def test_a_retraining_survives_a_killed_worker_a_killed_driver_and_ctrl_c(tmp_path: Path) -> None:
    run = launched(tmp_path, LONG)
    searched = pd.read_csv(run / "candidates.csv")
    with driving("retrain", run, "--top", 1, "--seeds", 2) as driver:
        victim = wait_for_more(driver, run, "progress")
        os.kill(int(victim["worker"].partition(":")[2]), signal.SIGKILL)
        assert wait_for_more(driver, run, "retried")["number"] == victim["number"]
        wait_for_more(driver, run, "progress")
        now = json.loads(in_process("status", run, "--json").stdout)
        assert (now["run"], now["retraining"]["run"]) == ("running", "running")
        busy = in_process("retrain", run)
        assert busy.returncode == 2
        assert f"pid {driver.pid}" in busy.stderr
        os.kill(driver.pid, signal.SIGKILL)
    left = [trial.number for trial in trials(run) if trial.state == TrialState.RUNNING]
    assert left
    stopped = read_status(run)
    assert (stopped["run"], stopped["retraining"]["run"], stopped["search_ended"]) == ("stopped", "stopped", True)
    assert f"to go on    fusion-nas retrain {run}" in in_process("status", run).stdout

    with driving("retrain", run) as driver:
        wait_for_more(driver, run, "progress")
        driver.send_signal(signal.SIGINT)
        started = time.monotonic()
        _, err = driver.communicate(timeout=60)
        assert (driver.returncode, time.monotonic() - started < 15) == (130, True)
        assert f"go on with `fusion-nas retrain {run}`" in err
    assert all(trial.state != TrialState.RUNNING for trial in trials(run))
    assert list((run / "checkpoints").glob("*/training-*.pt")), "no training state was kept"

    resumed = in_process("resume", run, "--set", "search.trials=4")
    assert resumed.returncode == 0, resumed.stderr
    assert not (retrained(run)["state"] == "running").any()
    done = in_process("retrain", run)
    assert done.returncode == 0, done.stderr
    rows, record = retrained(run), read_retrain_record(run)
    assert record is not None
    assert set(rows["state"]) == {"complete"}
    assert len(rows.groupby(["id", "recipe", "seed"])) == len(rows) >= 2 * len(record.participants)
    assert set(left) <= set(rows["number"])
    assert (rows["epochs"] == 8).all()
    assert not list((run / "checkpoints").glob("*/training-*.pt"))
    assert all(trial.state.is_finished() for trial in trials(run))
    table = pd.read_csv(run / "candidates.csv").set_index("number")
    assert (table.loc[searched["number"], "accuracy"].to_numpy() == searched["accuracy"].to_numpy()).all()

    margin = json.loads((run / "verdict.json").read_text())["margin"]
    original = next(one.id for one in record.participants if one.plays("original"))
    assert margin == pytest.approx(0.01 * table.loc[table["id"] == original, "loss"].iloc[0])
    found = prospect(run, asked())
    assert margin_ahead(found.config, found.ledger, found.record) == pytest.approx(margin)
    assert set(read_outcomes(run)) >= {(one.id, "default") for one in record.participants}


def test_a_dry_run_says_who_takes_part_and_what_it_takes_and_writes_nothing(run: Path) -> None:
    """Not even what a killed driver left half done is put right, nor is the lock taken."""
    study = load_study(run / "study.journal", None, ("accuracy", "params"), RandomSampler())
    begun = study.ask()
    with (run / "study.journal").open("ab") as journal:
        journal.write(b'{"op_code": 4, "worker_')
    before = contents(run)
    told = in_process("retrain", run, "--top", 1, "--seeds", "2..4", "--budget", "40epochs", "--dry-run")
    assert told.returncode == 0, told.stderr
    for words in (
        "finalist",
        "original",
        "matched params",
        "2 to 4 seeds each",
        "within --budget 40epochs",
        "at best a gain of",
        "assumes that seeds differ by chance alone",
    ):
        assert words in told.stdout
    found = prospect(run, asked())
    assert found.retraining.most() == 2 * len(found.record.participants)
    assert contents(run) == before
    assert begun.number in {trial.number for trial in found.ledger.study.get_trials(states=(TrialState.WAITING,))}


def test_a_dry_run_of_a_run_that_is_driven_names_who_drives_it(run: Path) -> None:
    with RunDirectory(run).locked(), pytest.raises(RunError, match=rf"{run} is in use by pid {os.getpid()} on host .*"):
        prospect(run, asked())


def end_of(log: Path, event: str) -> None:
    with log.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"time": "2026-03-02T10:00:00.000+00:00", "event": event}) + "\n")


def test_what_cannot_be_retrained_is_refused_in_one_line_and_nothing_is_written(run: Path, tmp_path: Path) -> None:
    for name, text in (("bad", "epochs: 0"), ("unknown", "epoch: 4"), ("default", "epochs: 4")):
        (tmp_path / f"{name}.yaml").write_text(text + "\n")

    refused(run, r"bad\.yaml:1: `train\.epochs` must be at least 1; got 0", tmp_path / "bad.yaml")
    refused(run, r"unknown\.yaml:1: unknown key `epoch`", tmp_path / "unknown.yaml")
    refused(run, "give the file another name", tmp_path / "default.yaml")
    refused(run, "there is no such file", tmp_path / "missing.yaml")
    refused(run, "`--seeds` must be at least 2", seeds=(1, 1))
    end_of(run / "log.jsonl", "resumed")
    refused(run, rf"has not ended \(3 of 3 candidates done\); end it with `fusion-nas resume {run}`")
    resume(run)
    assert prospect(run, asked()).retraining.most()
    (run / RETRAIN_FILE).write_text("{")
    refused(run, f"{RETRAIN_FILE} is damaged .* Remove it, and retrain with the arguments written out")
    (run / RETRAIN_FILE).unlink()
    assert prospect(run, asked()).retraining.most()


@pytest.mark.parametrize("what", ["missing", "a file", "an empty folder"])
def test_what_is_no_run_directory_is_refused_in_one_line(tmp_path: Path, what: str) -> None:
    run = tmp_path / "run"
    if what != "missing":
        run.write_text("x") if what == "a file" else run.mkdir()
    refused(run, r"no run directory .*run\.$|run is not a run directory: it has no config\.yaml\.$")
    assert run.exists() == (what != "missing")


def test_a_set_without_test_images_and_too_few_to_set_some_apart_is_refused(run: Path) -> None:
    images = run.parent / "few.npz"
    rows = {"x_train": np.zeros((2, 1, 8, 8), np.uint8), "y_train": np.arange(2)}
    np.savez(images, **rows, x_val=rows["x_train"], y_val=rows["y_train"])
    config = run / "config.yaml"
    config.write_text(config.read_text().replace("name: digits\n  path: null", f"name: npz\n  path: {images}"))
    refused(run, r"2 images are too few to set 20% of every class apart as test; add images or a test part\.$")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_here_is_refused_as_by_launch(run: Path) -> None:
    config, text = run / "config.yaml", (run / "config.yaml").read_text()
    config.write_text(text.replace("device: auto", "device: cuda"))
    refused(run, r"^`train\.device` is cuda, but PyTorch sees no GPU here; use auto or cpu\.$")
    config.write_text(text.replace("device: auto", "device: cpu"))
    assert prospect(run, asked()).retraining.most()


def test_a_run_without_a_complete_candidate_has_nothing_to_train_again(run: Path) -> None:
    config = SearchConfig.load(run / "config.yaml")
    (run / "study.journal").unlink()
    state_config(create_study(run / "study.journal", None, config.objectives, RandomSampler()), config)
    lost = (
        rf"^study\.journal has lost candidates 0 to \d+, which {run}/candidates\.csv still has\. Restore study\.journal"
    )
    refused(run, lost)
    with pytest.raises(RunError, match=lost):
        resume(run)
    (run / "candidates.csv").unlink()
    refused(run, rf"^no candidate of the run {run} is complete, .*; see the reasons in its candidates\.csv\.$")


@pytest.mark.parametrize(
    ("file", "before", "after", "words"),
    [
        ("config.yaml", "epochs: 2\n", "epochs: 3\n", r"edited since its launch: train\.epochs was 2, is 3"),
        ("config.yaml", "test: 359", "test: 358", r"the data set has changed since the run was launched: test was 358"),
        ("config.yaml", "test_digest: ", "test_digest: x", "the test images have changed since the run was launched"),
        (RETRAIN_FILE, None, None, "the test images have changed since the retraining began"),
    ],
)
def test_a_run_whose_config_or_data_changed_is_refused(run: Path, file: str, before, after, words: str) -> None:
    if before is None:
        record = prospect(run, asked()).record.to_dict() | {"test_digest": "0" * 32}
        (run / file).write_text(yaml.safe_dump(record))
    else:
        text = (run / file).read_text()
        assert before in text
        (run / file).write_text(text.replace(before, after, 1))
    refused(run, words)
