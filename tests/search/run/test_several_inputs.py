"""Data of images and a second input: what does not fit is refused."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from fusion_ops.errors import FusionNasError
from search.config import SearchConfig
from search.run.planning import plan

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
"""
CONFIG = """
space: {name: traced, model: "two_inputs:create", ops: [sum, concat]}
data: {name: "two_inputs:pairs"}
train: {epochs: 6, batch_size: 32, lr: 0.05, augment: [flip]}
search: {trials: 2, pruner: none}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "two_inputs.py").write_text(OWN)
    (tmp_path / "config.yaml").write_text(CONFIG)
    return tmp_path / "config.yaml"


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
