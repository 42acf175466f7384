"""A run on data with groups, and with test images of which none has a label."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from fusion_ops.errors import RunError
from search.config import SearchConfig
from search.run.jobs import resume
from search.run.planning import plan
from search.run.retrain import retrain
from search.run.retrain_request import RetrainRequest
from search.training.data.sets.digits import read_digits
from tests.runs import contents, in_process

pytestmark = pytest.mark.slow

CONFIG = """
space: {name: resnet, depth: 8, width: 4, ops: [sum, aff], reductions: [2]}
data: {name: npz, path: scans.npz, groups: patients.csv}
train: {epochs: 1}
search: {trials: 2, sampler: random, pruner: none}
ray: {max_concurrent: 1}
"""
PATIENTS = [f"p{index // 10}" for index in range(300)]


def write_groups(folder: Path, patients: list[str]) -> None:
    (folder / "patients.csv").write_text("".join(f"train/{index},{who}\n" for index, who in enumerate(patients)))


def test_a_run_without_test_labels_on_groups(tmp_path: Path) -> None:
    (digits, labels), run = read_digits(), tmp_path / "run"
    images, hidden = digits.numpy(), np.full(50, -1)
    np.savez(tmp_path / "scans.npz", x_train=images[:300], y_train=labels[:300], x_test=images[300:350], y_test=hidden)
    write_groups(tmp_path, PATIENTS)
    (tmp_path / "config.yaml").write_text(CONFIG)
    done = in_process("launch", tmp_path / "config.yaml", "--run-dir", run)
    assert done.returncode == 0, done.stderr
    assert "none of the 50 test images has a label, so they are left out" in done.stderr
    apart = f"30 groups of `data.groups: {tmp_path}/patients.csv` held apart, none in two parts: train 24 groups of 240"
    assert apart in done.stderr
    kept = SearchConfig.load(run / "config.yaml").resolved["dataset"]
    assert (kept["train"], kept["validation"], kept["test"]) == (240, 60, 0)
    assert apart in "".join(kept["notices"])

    before = contents(run)
    request = RetrainRequest.checked(1, (2, 2), (), None, ablate=False)
    with pytest.raises(RunError, match=r"^data set npz has no test images with labels, .* `data\.split: FILE\.csv`"):
        retrain(run, request)
    assert contents(run) == before

    # What the message advises.
    parts = ["train", "train", "train", "validation", "test"] * 60
    (tmp_path / "split.csv").write_text("".join(f"train/{index},{part}\n" for index, part in enumerate(parts)))
    config = SearchConfig.load(tmp_path / "config.yaml", {"data.split": "split.csv", "data.groups": None})
    assert [len(part) for part in plan(config)[1].parts.values()] == [180, 60, 60]

    # Other groups of the same sizes, so other images in the same numbers.
    write_groups(tmp_path, PATIENTS[3:] + PATIENTS[:3])
    with pytest.raises(RunError, match=r"the train images have changed since the run was launched, .* `data\.groups`"):
        resume(run, {"search.trials": 3})
    write_groups(tmp_path, PATIENTS)

    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for name in ("patients.csv", "scans.npz"):
        shutil.move(tmp_path / name, moved / name)
    text = (run / "config.yaml").read_text().replace(f"{tmp_path}/patients", f"{moved}/patients")
    (run / "config.yaml").write_text(text.replace(f"{tmp_path}/scans", f"{moved}/scans"))
    assert not resume(run).interrupted
    events = [json.loads(line)["event"] for line in (run / "log.jsonl").read_text().splitlines()]
    assert "resumed" in events
