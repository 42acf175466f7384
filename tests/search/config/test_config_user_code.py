"""A user-defined loss and user-defined qualities are tried before anything starts."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from fusion_ops.errors import ConfigError
from search.config import SearchConfig
from search.run.planning import plan

CODE = """
import torch
from torch.nn import functional

def loss(outputs, labels): return functional.cross_entropy(outputs, labels)
def of_masks(outputs, labels): return functional.cross_entropy(outputs, labels.long(), ignore_index=255)
def number(outputs, labels): return 1.0
def each(outputs, labels): return functional.cross_entropy(outputs, labels, reduction="none")
def constant(outputs, labels): return torch.tensor(1.0)
def beyond(outputs, labels): return outputs[:, 99].mean()
def right(outputs, labels): return (outputs.argmax(1) == labels).float().mean()
def text(outputs, labels): return "high"
def known(outputs, labels): return (labels != 255).float().mean()

def unlike(outputs, labels): return outputs.mean()
unlike.by_image = lambda outputs, labels: outputs[:, 0]

def alike(outputs, labels): return outputs.mean()
alike.by_image = lambda outputs, labels: outputs.mean(dim=1)

def of_all_classes(outputs, labels):
    assert len(labels.unique()) == outputs.shape[1]
    return 1.0
"""
SCALAR = "must return a scalar tensor that depends on the outputs; got"


@pytest.fixture
def planned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setitem(sys.modules, "tried", sys)
    del sys.modules["tried"]
    (tmp_path / "tried.py").write_text(CODE)

    def make(**changes: Any) -> None:
        values = {"space": {"name": "resnet", "depth": 8, "width": 4}} | changes
        (tmp_path / "config.yaml").write_text(yaml.safe_dump(values))
        plan(SearchConfig.load(tmp_path / "config.yaml"))

    return make


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        ("nope", "`tried:nope`: module `tried` has no `nope`"),
        ("number", f"`tried:number` {SCALAR} float."),
        ("each", f"`tried:each` {SCALAR} a tensor of shape (128,)."),
        ("constant", f"`tried:constant` {SCALAR} one without a gradient."),
        ("beyond", "`tried:beyond` fails on outputs (128, 10) and labels (128,): IndexError: index 99 is out of"),
    ],
)
def test_a_loss_that_is_none_is_refused(planned: Callable[..., None], loss: str, words: str) -> None:
    with pytest.raises(ConfigError) as refused:
        planned(train={"loss": f"tried:{loss}"})
    place, message = str(refused.value).split(": ", 1)
    assert place.endswith("config.yaml:6")
    assert message.startswith(words)


@pytest.mark.parametrize(
    ("quality", "words"),
    [
        ("text", "`tried:text` must return a number; got str."),
        ("beyond", "`tried:beyond` fails on outputs (256, 10) and labels (256,): IndexError: index 99 is out of"),
        (
            "unlike",
            "`tried:unlike.by_image` fails on outputs (256, 10) and labels (256,): CandidateError: `tried:unlike.",
        ),
    ],
)
def test_a_quality_that_is_none_is_refused(planned: Callable[..., None], quality: str, words: str) -> None:
    with pytest.raises(ConfigError) as refused:
        planned(objectives=["params", f"tried:{quality}"])
    assert str(refused.value).partition(": ")[2].startswith(words)


def test_what_is_right_is_taken_with_soft_labels_and_with_masks(planned: Callable[..., None]) -> None:
    planned(
        train={"loss": "tried:loss", "augment": ["mixup"]},
        objectives=["tried:right", "tried:alike", "tried:of_all_classes"],
    )
    planned(
        space={"name": "unet", "levels": 2, "width": 4, "stem_stride": 1},
        data={"name": "cluttered_digits", "task": "segmentation", "images": 40, "size": 48},
        train={"loss": "tried:of_masks"},
        objectives=["tried:known", "params"],
    )
