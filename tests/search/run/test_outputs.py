"""A network of two inputs, a tuple in training and a dataclass in evaluation: searched, exported, verified."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from safetensors.torch import load_file

from tests.runs import events, export_and_verify, fusion_nas

OWN = """
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional


@dataclass
class Answer:
    logits: torch.Tensor
    states: object = None


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 8, 3, padding=1)
        self.conv = nn.Conv2d(8, 8, 3, padding=1)
        self.beside = nn.Linear(3, 8)
        self.head, self.aux = nn.Linear(8, 10), nn.Linear(8, 10)

    def forward(self, x, beside):
        x = self.stem(x).relu()
        x = x + self.conv(x).relu()
        pooled = x.amax((2, 3)) + self.beside(beside)
        if self.training:
            return self.head(pooled), self.aux(pooled)
        return Answer(self.head(pooled), (x, pooled))


def create():
    return Net()


def pairs():
    digits = load_digits()
    label = digits.target[:600]
    # What the second input says of the label makes it easy: without it, one epoch comes to about 20 %.
    beside = np.stack([label % 2, label // 4, label], 1).astype("float64")
    return ((digits.images[:600, None] * 15.9).astype("uint8"), beside), label


def prediction(returned):
    return returned[0] if isinstance(returned, tuple) else returned.logits


def with_auxiliary_head(outputs, labels):
    main, auxiliary = outputs
    return functional.cross_entropy(main, labels) + 0.3 * functional.cross_entropy(auxiliary, labels)


with_auxiliary_head.whole_output = True


def spread(outputs, labels):
    assert outputs.logits.shape == (len(labels), 10)
    assert outputs.states[0].shape == (len(labels), 8, 8, 8)
    return outputs.states[1].std()


spread.whole_output = True


def layers(model, images):
    pictures, beside = images
    assert pictures.shape[1:] == (1, 8, 8) and beside.shape == (len(pictures), 3)
    return len(list(model.modules()))
"""
CONFIG = """
space: {name: traced, model: "own:create", ops: [sum, concat]}
data: {name: "own:pairs"}
train: {epochs: 6, batch_size: 32, lr: 0.05, augment: [flip], output: "own:prediction", loss: "own:with_auxiliary_head"}
objectives: [accuracy, "own:spread", memory, latency, "own:layers"]
latency: {seconds: 0.02}
search: {trials: 2, pruner: none}
ray: {max_concurrent: 1}
"""


@pytest.mark.faults
def test_two_inputs_a_tuple_in_training_and_a_dataclass_in_evaluation(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OWN)
    (tmp_path / "config.yaml").write_text(CONFIG)
    run, out = tmp_path / "run", tmp_path / "out"
    done = fusion_nas("launch", tmp_path / "config.yaml", "--run-dir", run)
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(run / "candidates.csv")
    assert list(table["state"]) == ["complete"] * 2
    assert (table["own:spread"] > 0).all()
    assert table["accuracy"].max() > 0.5
    assert events(run, "operators_measured")

    assert "model.onnx" in export_and_verify(run, out, "--onnx").partition("largest difference")[2]
    sample = load_file(out / "sample.safetensors")
    assert (tuple(sample["images"].shape), tuple(sample["input1"].shape)) == ((16, 1, 8, 8), (16, 3))
    assert [tuple(sample[f"output{index}"].shape) for index in range(3)] == [(16, 10), (16, 8, 8, 8), (16, 8)]
    assert "model(preprocess(images), input1)" in (out / "README.md").read_text()
    assert "`logits` (16, 10), `states.0` (16, 8, 8, 8), `states.1` (16, 8)" in (out / "README.md").read_text()
    assert json.loads((out / "metrics.json").read_text())["validation"]["recomputed"]["accuracy"] > 0


@pytest.mark.slow
def test_without_the_key_nothing_starts(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OWN)
    (tmp_path / "config.yaml").write_text(CONFIG)
    done = fusion_nas("launch", tmp_path / "config.yaml", "--dry-run", "--set", "train.output=null")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "`train.output`" in done.stderr
    assert "in evaluation it returns `logits` (2, 10), `states.0` (2, 8, 8, 8), `states.1` (2, 8)" in done.stderr
