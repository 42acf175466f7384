"""Searches with hyperparameters as whole runs: killed, resumed, retrained, exported, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
import yaml
from safetensors import safe_open

from reports.candidates import table
from reports.candidates.hyperparameters import kept
from reports.retrained.record import read_retrain_record
from reports.run.run import load_run
from spaces import Architecture, configuration_id
from tests.runs import check_sound, events, export_and_verify, in_process, killed

CONFIG = """
space: {name: resnet, depth: 8, width: 4, ops: [sum, aff], reductions: [2]}
data: {name: digits}
train: {epochs: 2, batch_size: 128, lr: 0.2}
hyperparameters:
  train.lr: {low: 0.05, high: 0.5, log: true}
  train.augment: [[], [cutout]]
  space.width: [4, 6]
objectives: [accuracy, params]
search: {trials: 8, sampler: %s, pruner: none, seed: 1, baseline_draws: 2}
"""
KEYS = ["train.lr", "train.augment", "space.width"]


def launched(folder: Path, sampler: str) -> Path:
    (folder / "joint.yaml").write_text(CONFIG % sampler)
    return folder / "joint.yaml"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A search that was killed on the way, and resumed."""
    folder = tmp_path_factory.mktemp("joint")
    killed(folder / "run", "finished", "launch", launched(folder, "auto"), "--run-dir", folder / "run", after=3)
    done = in_process("resume", folder / "run")
    assert done.returncode == 0, done.stderr
    return folder / "run"


@pytest.mark.slow
def test_a_killed_search_goes_on_with_every_candidate_as_it_was(run: Path) -> None:
    rows = check_sound(run, 8)
    begun = {}
    # One that had been proposed only as the driver was killed has no other beginning than that it goes on.
    for event in (*events(run, "started"), *events(run, "continued")):
        begun.setdefault(event["number"], event["hyperparameters"])
        # The proposal that is taken up again is the same one.
        assert begun[event["number"]] == event["hyperparameters"]
    searched = load_run(run).hyperparameters
    assert list(searched) == KEYS
    for row in table.read(run).to_dict("records"):
        values, architecture = kept(row, searched), Architecture.from_json(row["architecture"])
        assert values == begun[row["number"]]
        assert row["id"] == configuration_id(architecture, values)
        assert dict(architecture.space.settings)["width"] == row["space.width"]
    assert list(rows.columns[-3:]) == ["space.width", "train.lr", "train.augment"]
    uniform = rows[rows["kind"] == "baseline"]
    assert len(uniform) == 4
    assert uniform.iloc[0]["train.augment"] == "none"
    drawn = [tuple(row) for row in uniform[KEYS].itertuples(index=False, name=None)]
    assert drawn[0] == drawn[1] != drawn[2] == drawn[3]


@pytest.mark.slow
def test_the_training_is_that_of_the_hyperparameters(run: Path) -> None:
    # Two trainings of one seed and network that differ in a hyperparameter alone learn differently.
    rows = pd.read_csv(run / "candidates.csv", dtype={"id": str})
    uniform = rows[rows["kind"] == "baseline"]
    assert uniform["loss"].nunique() == len(uniform)
    assert len({*uniform["id"]}) == len(uniform)
    for row in uniform.to_dict("records"):
        with safe_open(run / "checkpoints" / row["id"] / "model.safetensors", "pt") as weights:
            assert json.loads(weights.metadata()["architecture"]) == json.loads(row["architecture"])


@pytest.mark.slow
def test_a_retraining_takes_them_over_but_for_what_a_recipe_states(run: Path, tmp_path: Path) -> None:
    (tmp_path / "gentle.yaml").write_text("lr: 0.07\n")
    done = in_process("retrain", run, "--seeds", 2, "--top", 1, "--recipe", tmp_path / "gentle.yaml")
    assert (run / "verdict.json").is_file(), done.stderr
    record = read_retrain_record(run)
    rows = table.read(run)
    retrained = rows[rows["role"] != ""]
    assert set(retrained["state"]) == {"complete"}
    by_id = {one.id: one for one in record.participants}
    for row in retrained.to_dict("records"):
        assert kept(row, load_run(run).hyperparameters) == by_id[row["id"]].hyperparameters
    # Under each recipe, at its own learning rate or at the recipe's, the losses differ.
    losses = retrained.pivot_table(index="id", columns="recipe", values="loss")
    assert (losses["default"] != losses["gentle"]).all()
    assert (run / "points.json").is_file() or not record.participants
    again = in_process("retrain", run, "--seeds", 2)
    assert len(table.read(run)) == len(rows), again.stderr


@pytest.mark.slow
def test_an_export_says_what_it_was_trained_with(run: Path, tmp_path: Path) -> None:
    rows = table.read(run)
    best = rows[(rows["role"] == "") & (rows["state"] == "complete")].sort_values("accuracy").iloc[-1]
    export_and_verify(run, tmp_path / "out", "--pick", best["id"])
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    provenance = json.loads((tmp_path / "out" / "provenance.json").read_text())
    assert config["hyperparameters"] == provenance["hyperparameters"]
    assert config["hyperparameters"]["train.lr"] == pytest.approx(best["train.lr"])
    assert isinstance(config["hyperparameters"]["train.augment"], list)
    assert f"width {best['space.width']:g}" in (tmp_path / "out" / "README.md").read_text()


@pytest.mark.slow
def test_it_is_replayed_and_looked_at(run: Path) -> None:
    for command in (("replay", run), ("status", run), ("report", run)):
        done = in_process(*command)
        assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("setting", "why"),
    [
        ("hyperparameters.train.lr=[0.1,0.2]", "`hyperparameters.train.lr` of a run cannot change"),
        ("hyperparameters.train.momentum=[0.8,0.9]", "`hyperparameters.train.momentum` of a run cannot change"),
        ("space.ops=[sum,aff,eca]", "`space.ops` of a run that searches hyperparameters cannot grow; launch a new run"),
    ],
)
def test_a_resume_cannot_change_what_is_searched(run: Path, setting: str, why: str) -> None:
    done = in_process("resume", run, "--set", setting)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert why in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("more", [True, False])
def test_nor_can_an_editor(run: Path, more: bool) -> None:
    text = (run / "config.yaml").read_text()
    values = yaml.safe_load(text)
    searched = values["hyperparameters"]
    searched.update({"train.momentum": [0.8, 0.9]}) if more else searched.pop("train.augment")
    (run / "config.yaml").write_text(yaml.safe_dump(values))
    try:
        done = in_process("resume", run, "--set", "search.trials=12")
    finally:
        (run / "config.yaml").write_text(text)
    assert done.returncode == 2
    assert "the run's config was edited since its launch: hyperparameters was" in done.stderr


@pytest.mark.slow
def test_depth_is_searched_with_what_the_search_is_compared_with(tmp_path: Path) -> None:
    text = (CONFIG % "random").replace("space.width: [4, 6]", "space.depth: [8, 14]")
    text = text.replace("trials: 8", "trials: 6").replace("pruner: none", "pruner: auto, random_baseline: true")
    (tmp_path / "depth.yaml").write_text(text)
    shown = in_process("launch", tmp_path / "depth.yaml", "--dry-run")
    assert "space.depth: 8 | 14" in shown.stdout, shown.stderr
    assert "configurations in 2 host networks" in shown.stdout
    done = in_process("launch", tmp_path / "depth.yaml", "--run-dir", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    rows = table.read(tmp_path / "run")
    assert set(rows[rows["series"] == "random"]["state"]) <= {"complete", "duplicate"}
    assert set(rows["space.depth"]) == {8, 14}
    assert (tmp_path / "run" / "report.html").is_file()
