"""Whole runs with a network of all architectures: killed within its training, resumed, on every kind of space."""

from __future__ import annotations

from pathlib import Path

import pytest

from reports.candidates import table
from search.training.files import PASSED_ON, SCORES
from search.training.supernet.scores import read_scores
from tests.runs import events, export_and_verify, fusion_nas, in_process, killed

CONFIG = """
space: {name: resnet, depth: 8, width: 4, ops: [sum, sk, aff], reductions: [2, 4]}
data: {name: digits}
train: {epochs: 4, batch_size: 128, lr: 0.2}
objectives: [accuracy, params]
search: {trials: 5, strategy: supernet, baselines: false, pruner: none, seed: 1}
strategy: {supernet_epochs: 4, supernet_scored: 24, epochs: 1, trust: 0}
"""
FPN = """
space: {name: fpn, width: 2, levels: 2, pyramid: 4, ops: [sum, aff], reductions: [2], resamplers: [bilinear, carafe]}
data: {name: cluttered_digits, task: segmentation, images: 200, test_images: 50}
train: {epochs: 1, batch_size: 32}
objectives: [miou, params]
constraints: {params: 2600}
search: {trials: 3, strategy: supernet, baselines: false}
strategy: {supernet_start: parent, supernet_epochs: 1, trust: 0}
"""
TRACED = """
space: {name: traced, model: "network:small", ops: [sum, aff], reductions: [2]}
data: {name: digits}
train: {epochs: 1, batch_size: 128}
objectives: [accuracy, params]
search: {trials: 3, strategy: supernet, baselines: false}
strategy: {parent_epochs: 0, supernet_epochs: 1, supernet_sampling: sandwich, supernet_finish: scratch, trust: 0}
"""
NETWORK = """
import torch
from torch import nn


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 4, 3, padding=1)
        self.one, self.two = nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.head = nn.Linear(4, 10)

    def forward(self, x):
        x = self.stem(x)
        x = x + self.one(torch.relu(x))
        x = x + self.two(torch.relu(self.norm(x)))
        return self.head(x.mean(dim=(2, 3)))


def small():
    return Small()
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A search that was killed while its supernet was in training, and resumed."""
    folder = tmp_path_factory.mktemp("supernet")
    (folder / "supernet.yaml").write_text(CONFIG)
    killed(folder / "run", "progress", "launch", folder / "supernet.yaml", "--run-dir", folder / "run")
    done = in_process("resume", folder / "run")
    assert done.returncode == 0, done.stderr
    return folder / "run"


@pytest.mark.slow
def test_a_run_that_was_killed_within_its_supernet_goes_on_with_it(run: Path) -> None:
    rows = table.read(run)
    (supernet,) = rows[rows["series"] == "supernet"].to_dict("records")
    assert (supernet["state"], supernet["epochs"], supernet["retries"]) == ("complete", 4, 1)
    assert supernet["reason"] == "24 architectures scored"
    assert events(run, "continued")[0]["number"] == supernet["number"]
    folder = run / "checkpoints" / supernet["id"]
    scored = read_scores((folder / SCORES.format(supernet["number"])).read_bytes(), ["accuracy", "loss"])
    assert len({one.architecture for one in scored}) == 24
    assert (folder / PASSED_ON.format(supernet["number"])).is_file()
    # All that follows begins with it: the best by its scores, then what the sampler proposes.
    searched = rows[rows["series"] == ""]
    assert (searched["start"] == supernet["number"]).all()
    assert list(searched["state"]) == ["complete"] * 5
    assert set(searched["id"][:2]) <= {one.architecture.id for one in scored}
    best = max(one.measures["accuracy"] for one in scored)
    # One epoch from scratch stays far below.
    assert searched["accuracy"].min() > best - 0.2


@pytest.mark.slow
def test_its_winner_is_exported_and_the_run_resumed(run: Path, tmp_path: Path) -> None:
    more = in_process("resume", run, "--set", "search.trials=6")
    assert more.returncode == 0, more.stderr
    rows = table.read(run)
    assert list(rows.loc[rows["series"] == "", "state"]) == ["complete"] * 6
    assert (rows["series"] == "supernet").sum() == 1
    assert "Verified" in export_and_verify(run, tmp_path / "out", command=in_process)


@pytest.mark.slow
def test_a_pyramid_with_resamplers_is_scored_as_a_whole_within_its_constraint(tmp_path: Path) -> None:
    (tmp_path / "fpn.yaml").write_text(FPN)
    done = in_process("launch", tmp_path / "fpn.yaml", "--run-dir", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    rows = table.read(tmp_path / "run")
    assert list(rows["series"]) == ["parent", "supernet", "", "", ""]
    assert (rows.loc[rows["series"] == "", "params"] <= 2600).all()
    (supernet,) = rows[rows["series"] == "supernet"].to_dict("records")
    path = tmp_path / "run" / "checkpoints" / supernet["id"] / SCORES.format(supernet["number"])
    scored = read_scores(path.read_bytes(), ["params"])
    assert scored
    assert all(one.measures["params"] <= 2600 for one in scored)


@pytest.mark.slow
def test_a_network_of_ones_own_is_taken_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "network.py").write_text(NETWORK)
    (tmp_path / "traced.yaml").write_text(TRACED)
    done = fusion_nas("launch", tmp_path / "traced.yaml", "--run-dir", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    rows = table.read(tmp_path / "run")
    assert list(rows["series"]) == ["parent", "supernet", "", "", ""]
    assert rows.loc[rows["series"] == "", "start"].isna().all()
    assert "4 architectures scored" in set(rows["reason"])


def test_a_supernet_without_room_is_refused_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "large.yaml").write_text(CONFIG)
    refused = in_process(
        *("launch", tmp_path / "large.yaml", "--run-dir", tmp_path / "run", "--set", "strategy.supernet_gb=0.0001")
    )
    assert refused.returncode == 2
    assert "more than `strategy.supernet_gb: 0.0001`" in refused.stderr
    assert refused.stderr.count("\n") == 1
    assert not (tmp_path / "run").exists()
    planned = in_process("launch", tmp_path / "large.yaml", "--run-dir", tmp_path / "run", "--dry-run")
    assert planned.returncode == 0, planned.stderr
    assert "parameters, 0.1 MB with gradients and momentum" in " ".join(planned.stdout.split())
