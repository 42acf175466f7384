"""More choices in a running study: what a wider space takes over, and what is no wider space."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
from pathlib import Path

import optuna
import pandas as pd
import pytest
import yaml

import search
from fusion_ops.errors import ConfigError, RunError
from reports.run.run import load_run
from reports.run.space_stages import stages
from search.cli.app import parse_overrides
from search.config import SearchConfig
from search.run.driver import Driver
from search.run.jobs import begun
from search.run.planning import plan
from search.run.reopening import reopened
from search.run.resuming import run_sampler
from search.run.widening import in_wider_space, widened_config
from search.study.opening import load_study
from search.study.run_directory import RunDirectory
from search.training.job import Progress
from spaces import Architecture
from tests.runs import check_sound, driving, events, in_process, wait_for_more

CONFIG = """
space: {name: resnet, depth: 8, width: 4, ops: [sum, aff], reductions: [4]}
data: {name: digits}
train: {epochs: 2, batch_size: 128, lr: 0.2}
objectives: [accuracy, params]
search: {trials: 5, sampler: auto, pruner: none, seed: 1}
"""
WIDER = {"space.ops": "[eca, aff, sum]", "space.reductions": "[2, 4]", "search.trials": 9}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run of which three candidates have ended and one waits; nothing of it was trained."""
    (tmp_path / "small.yaml").write_text(CONFIG)
    config = SearchConfig.load(tmp_path / "small.yaml")
    space, dataset = plan(config)
    directory = RunDirectory(tmp_path / "run")
    directory.create()
    driver = begun(config, directory, space, dataset)
    for accuracy in (0.8, 0.7, 0.75):
        curve = tuple({"accuracy": value, "loss": 1 - value} for value in (0.3, accuracy))
        driver.ledger.report(driver.ledger.ask().number, Progress(curve, 2.0, "host:1", done=True))
    driver.ledger.ask()
    driver.ledger.release()
    driver.log.write("interrupted")
    driver._write_table()
    return directory.path


def reopen(run: Path, overrides: dict | None = None, *, retell: bool = True) -> Driver:
    """Open a run as `resume` does, and train nothing."""
    directory = RunDirectory(run)
    config = widened_config(directory.config, overrides or {})
    space, dataset = plan(config)
    sampler = run_sampler(config, directory, space, 0)
    study = reopened(config, directory, space.space, dataset, sampler)
    if not retell:
        directory.write_config(config.to_dict() | {"resolved": config.resolved})
    study = in_wider_space(study, config, directory, space.space, sampler) if retell else study
    driver = Driver(config, directory, space, study, dataset)
    if retell:
        driver.enqueue_baselines()
    return driver


def kept(run: Path) -> dict:
    return yaml.safe_load((run / "config.yaml").read_text())


def test_a_wider_space_takes_the_old_candidates_in_and_begins_with_its_new_uniform_networks(run: Path):
    before = {row["number"]: row["id"] for row in pd.read_csv(run / "candidates.csv").to_dict("records")}
    driver = reopen(run, WIDER)
    assert {number: one.id for number, one in driver.ledger.candidates.items()} == before
    asked = [driver.ledger.ask() for _ in range(3)]
    assert [(one.number, one.kind) for one in asked] == [(3, "search"), (4, "baseline"), (5, "search")]
    assert asked[1].architecture == driver.ledger.space.uniform("eca")
    for one in asked:
        assert one.params == driver.ledger.space.cost(one.architecture).params
    config = kept(run)
    assert config["space"]["ops"] == ["sum", "aff", "eca"]
    assert config["space"]["reductions"] == [4, 2]
    assert config["resolved"]["study"] == "fusion-nas run (2)"
    (stage,) = stages(config["resolved"])
    assert stage.choices == {"ops": ["sum", "aff"], "reductions": [4], "resamplers": ["bilinear"]}
    (event,) = events(run, "widened")
    assert event["was"] == stage.choices


def test_a_driver_that_was_killed_between_config_and_study_goes_on_from_there(run: Path):
    reopen(run, WIDER, retell=False)
    assert kept(run)["space"]["ops"] == ["sum", "aff", "eca"]
    assert kept(run)["resolved"]["study"] == "fusion-nas run"
    assert len(load_run(run).table) == 3
    driver = reopen(run)
    assert kept(run)["resolved"]["study"] == "fusion-nas run (2)"
    assert len(driver.ledger.candidates) == 3
    assert optuna.get_all_study_names(driver.ledger.study._storage) == ["fusion-nas run (2)"]
    assert len(kept(run)["resolved"]["widened"]) == 1


def test_a_space_can_be_widened_again_and_the_same_choices_change_nothing(run: Path):
    reopen(run, WIDER)
    first = kept(run)
    reopen(run, {"space.ops": "[sum, aff, eca]"})
    assert kept(run) == first
    reopen(run, {"space.ops": "[sum, aff, eca, concat]"})
    assert kept(run)["resolved"]["study"] == "fusion-nas run (3)"
    assert [one.choices["ops"] for one in stages(kept(run)["resolved"])] == [["sum", "aff"], ["sum", "aff", "eca"]]


def test_a_ratio_of_equal_width_does_not_rename_what_was_trained(run: Path):
    """Of 16 channels at most, ratios of 4 and 8 can have one width; the network keeps the name that it has."""
    config = kept(run)
    config["space"]["reductions"] = [8]
    shutil.rmtree(run)
    (run.parent / "small.yaml").write_text(yaml.safe_dump({k: v for k, v in config.items() if k != "resolved"}))
    loaded = SearchConfig.load(run.parent / "small.yaml")
    directory = RunDirectory(run)
    directory.create()
    driver = begun(loaded, directory, *plan(loaded))
    aff = next(one for one in driver.ledger.space.baselines() if "aff" in one.to_json())
    space = reopen(run, {"space.reductions": "[4, 8, 16]"}).ledger.space
    assert space.uniform("aff", 8) == Architecture.from_json(aff.to_json())
    widths = {point.out_channels for point in space.points}
    assert all(8 in slot.reductions["aff"] for slot in space.slots), widths


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ({"space.ops": "[sum, eca]"}, "without aff. Give `--set 'space.ops=[sum, aff, eca]'`, or launch a new run."),
        ({"space.reductions": "[2]"}, "without 4. Give `--set 'space.reductions=[4, 2]'`, or launch a new run."),
        ({"space.depth": 14}, "`space.depth` of a run cannot change; a resume takes search.trials,"),
        ({"space.tie": "stage"}, "more of space.ops, space.reductions, space.resamplers. Launch a new run."),
        ({"space.ops": "[sum, aff, ecca]"}, "ecca"),
        ({"space.ops": "eca"}, "space.ops"),
    ],
)
def test_a_narrower_space_or_another_host_is_refused_and_nothing_is_written(run: Path, overrides, said):
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    with pytest.raises(ConfigError, match=r"space\.") as refused:
        search.Run(run).resume(overrides)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


def test_the_advice_of_a_refusal_works_when_followed(run: Path):
    with pytest.raises(ConfigError) as refused:
        widened_config(run / "config.yaml", {"space.ops": "[sum, eca]"})
    option, *words = shlex.split(str(refused.value).partition("Give `")[2].partition("`, or launch")[0])
    assert (option, len(words)) == ("--set", 1)
    assert reopen(run, parse_overrides(words)).ledger.space.ops == ("sum", "aff", "eca")


def test_an_operator_spelled_otherwise_is_the_operator_that_was_there(run: Path):
    assert reopen(run, {"space.ops": "[sum, aff context=both, eca]"}).ledger.space.ops == ("sum", "aff", "eca")


def test_a_config_that_was_edited_by_hand_is_refused_still(run: Path):
    config = kept(run)
    config["space"]["ops"] = ["sum", "aff", "eca"]
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    with pytest.raises(RunError, match=r"the run's config was edited since its launch: space\.ops was"):
        search.Run(run).resume()


def test_new_uniform_networks_take_no_more_than_there_is_room_for(run: Path):
    driver = reopen(run, {"space.ops": "[sum, aff, eca, concat]"})
    assert [one.kind for one in iter(driver.ledger.ask, None)] == ["search", "baseline"]
    driver.ledger.release()
    # As the notice of a resume says: one more for each that had no room.
    later = reopen(run, {"search.trials": 6})
    assert [one.kind for one in iter(later.ledger.ask, None)] == ["search", "baseline", "baseline"]


def test_patience_counts_from_the_widening_on(run: Path):
    narrow = reopen(run, {"search.patience": 1})
    assert narrow.ledger.stall.reached
    assert not reopen(run, WIDER | {"search.patience": 1}).ledger.stall.reached


@pytest.mark.slow
@pytest.mark.faults
def test_a_run_is_widened_killed_resumed_reported_and_retrained(tmp_path: Path):
    (tmp_path / "small.yaml").write_text(CONFIG)
    run = tmp_path / "run"
    launched = in_process("launch", tmp_path / "small.yaml", "--run-dir", run)
    assert launched.returncode == 0, launched.stderr
    before = pd.read_csv(run / "candidates.csv", dtype={"id": str})
    settings = [f"--set={key}={value}" for key, value in WIDER.items()]
    with driving("resume", run, *settings) as driver:
        wait_for_more(driver, run, "finished")
        os.kill(driver.pid, signal.SIGKILL)
        driver.wait()
    resumed = search.Run(run).resume()
    table = check_sound(run, 9)
    assert not resumed.interrupted
    assert list(table["id"][: len(before)]) == list(before["id"])
    new = table[len(before) :]
    assert new["architecture"].str.contains('"eca"').any()
    assert list(new["kind"]).count("baseline") >= 1
    again = in_process("retrain", run, "--top", 1, "--seeds", 2)
    assert again.returncode == 0, again.stderr
    report = (run / "report.html").read_text()
    assert f"sum, aff, eca; until {stages(kept(run)['resolved'])[0].until[:10]}" in report
    study = load_study(run / "study.journal", None, ("accuracy", "params"), optuna.samplers.RandomSampler(), "any")
    assert len(study.trials) == len(pd.read_csv(run / "candidates.csv"))
