"""A network that takes images and a second input: its data, its search, its export."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from safetensors.torch import load_file

from fusion_ops.errors import FusionNasError
from search.config import SearchConfig
from search.run.planning import plan
from tests.runs import events, fusion_nas

OWN = """
import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.conv = nn.Conv2d(1, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)
        self.beside = nn.Linear(3, 8)
        self.head = nn.Linear(8, 10)

    def forward(self, images, beside):
        x = self.stem(images).relu()
        x = x + self.conv(x).relu()
        return self.head(x.amax((2, 3)) + self.beside(beside))


def create():
    return Net()


def images():
    digits = load_digits()
    label = digits.target[:600]
    # What the second input says of the label makes it easy: without it, one epoch comes to about 20 %.
    beside = np.stack([label % 2, label // 4, label], 1).astype("float64")
    return (digits.images[:600, None] * 15.9).astype("uint8"), beside, label


def pairs():
    pictures, beside, label = images()
    return (pictures, beside), label


def short():
    pictures, beside, label = images()
    return (pictures, beside[:-1]), label


def whole_numbers():
    pictures, beside, label = images()
    return (pictures, beside.astype("int64")), label


def layers(model, images):
    pictures, beside = images
    assert pictures.shape[1:] == (1, 8, 8) and beside.shape == (len(pictures), 3)
    return len(list(model.modules()))
"""
CONFIG = """
space: {name: traced, model: "two_inputs:create", ops: [sum, concat]}
data: {name: "two_inputs:pairs"}
train: {epochs: 6, batch_size: 32, lr: 0.05, augment: [flip]}
objectives: [accuracy, latency, memory, "two_inputs:layers"]
latency: {seconds: 0.02}
search: {trials: 2, pruner: none}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "two_inputs.py").write_text(OWN)
    (tmp_path / "config.yaml").write_text(CONFIG)
    return tmp_path / "config.yaml"


@pytest.mark.slow
def test_two_inputs_from_the_data_to_the_export(config: Path, tmp_path: Path) -> None:
    run, out = tmp_path / "run", tmp_path / "out"
    done = fusion_nas("launch", config, "--run-dir", run)
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(run / "candidates.csv")
    assert list(table["state"]) == ["complete"] * 2
    assert table["accuracy"].max() > 0.5
    assert events(run, "operators_measured")

    exported = fusion_nas("export", run, "-o", out, "--onnx")
    assert exported.returncode == 0, exported.stderr
    verified = subprocess.run(
        [sys.executable, "verify.py"], cwd=out, capture_output=True, text=True, check=False,
        env={"PYTHONPATH": str(tmp_path)},
    )  # fmt: skip
    assert verified.returncode == 0, verified.stdout
    assert "model.onnx" in verified.stdout.partition("largest difference")[2]
    sample = load_file(out / "sample.safetensors")
    assert {name: tuple(tensor.shape) for name, tensor in sample.items()} == {
        "images": (16, 1, 8, 8),
        "input1": (16, 3),
        "outputs": (16, 10),
    }
    assert "model(preprocess(images), input1)" in (out / "README.md").read_text()


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("data={name: 'two_inputs:short'}", "train: input 1 needs one row an image; got 599 for 600 images."),
        ("data={name: 'two_inputs:whole_numbers'}", "train input 1 must be floating-point (N, …); got int64 (600, 3)."),
        ("data={name: digits}", "Give one example for each argument"),
        ("train.augment=[mixup]", "mixup mixes images, and not the other inputs; leave it out."),
    ],
)
def test_what_does_not_fit_is_one_line(config: Path, monkeypatch: pytest.MonkeyPatch, setting: str, words: str) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path, str(config.parent)])
    with pytest.raises(FusionNasError) as refused:
        plan(SearchConfig.load(config, dict([setting.split("=", 1)])))
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)
