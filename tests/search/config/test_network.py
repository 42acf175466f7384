"""A user-defined network is run on images of the data set before anything starts, in both of its forms."""

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
from spaces import SearchSpace

CODE = '''
from collections import OrderedDict, namedtuple
from dataclasses import dataclass, fields

import torch
from torch import nn
from torch.nn import functional

Outputs = namedtuple("Outputs", "logits aux")


@dataclass
class Answer:
    loss: object = None
    logits: object = None
    states: object = None


@dataclass
class ModelOutput(OrderedDict):
    """A mapping with attributes, as transformers returns."""

    logits: object = None
    states: object = None

    def __post_init__(self):
        for field in fields(self):
            if getattr(self, field.name) is not None:
                self[field.name] = getattr(self, field.name)


class Net(nn.Module):
    """One residual sum; `form` says how the logits, an auxiliary head's and the features are returned."""

    def __init__(self, form="tensor", classes=10, spoiled=False):
        super().__init__()
        self.form = form
        self.stem = nn.Conv2d(1, 4, 3, padding=1)
        self.conv = nn.Conv2d(4, 4, 3, padding=1)
        self.head, self.aux = nn.Linear(4, classes), nn.Linear(4, classes)
        if spoiled:
            nn.init.constant_(self.head.weight, float("nan"))

    def forward(self, x):
        x = self.stem(x).relu()
        x = x + self.conv(x)
        pooled = x.mean((2, 3))
        logits, aux = self.head(pooled), self.aux(pooled)
        return FORMS[self.form](logits, aux, x, self.training)


FORMS = {
    "tensor": lambda logits, aux, x, training: logits,
    "auxiliary": lambda logits, aux, x, training: Outputs(logits, aux) if training else logits,
    "list": lambda logits, aux, x, training: [aux, logits] if training else logits,
    "dict": lambda logits, aux, x, training: {"out": logits, "aux": aux} if training else {"out": logits},
    "dataclass": lambda logits, aux, x, training: Answer(logits=logits, states=(x, pooled(x))),
    "model_output": lambda logits, aux, x, training: ModelOutput(logits, x),
    "map": lambda logits, aux, x, training: x,
    "flat": lambda logits, aux, x, training: logits[:, 0],
}


def pooled(x):
    return x.mean((2, 3))


def create(**settings):
    torch.manual_seed(0)
    return Net(**settings)


def last(returned):
    return returned[-1] if isinstance(returned, list) else returned


def wrong(returned):
    return returned["nothing"]


def of_both(outputs, labels):
    """Auxiliary heads count a third; it is for training alone."""
    return functional.cross_entropy(outputs[0], labels) + functional.cross_entropy(outputs[1], labels) / 3


def of_logits(outputs, labels):
    assert isinstance(outputs, torch.Tensor)
    return functional.cross_entropy(outputs, labels)


def asks(outputs, labels):
    return of_both(outputs, labels)


asks.whole_output = True


def same_form(outputs, labels):
    assert outputs.shape == labels.shape
    return (outputs - labels).abs().mean()


def keys(outputs, labels):
    assert outputs["out"].shape == (len(labels), 10)
    return len(outputs)


keys.whole_output = True


def backward_fails(outputs, labels):
    class Fails(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.sum()

        @staticmethod
        def backward(ctx, gradient):
            raise RuntimeError("no gradient here")

    return Fails.apply(outputs)
'''


@pytest.fixture
def planned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., SearchSpace]:
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    name = f"returning_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(CODE)

    def make(
        train: dict[str, Any] | None = None, objectives: Any = ("accuracy",), task: str = "classification", **net: Any
    ) -> SearchSpace:
        values = {
            "data": {"name": "digits", "task": task},
            "space": {"name": "traced", "model": f"{name}:create", "kwargs": net},
            "train": {key: value.replace("own:", f"{name}:") if isinstance(value, str) else value
                      for key, value in (train or {}).items()},
            "objectives": [objective.replace("own:", f"{name}:") for objective in objectives],
        }  # fmt: skip
        (tmp_path / "config.yaml").write_text(yaml.safe_dump(values))
        return plan(SearchConfig.load(tmp_path / "config.yaml"))[0].space

    return make


@pytest.mark.parametrize(
    ("form", "output"),
    [
        ("tensor", None),
        ("tensor", 0),
        ("auxiliary", 0),
        ("auxiliary", "logits"),
        ("list", -1),
        ("list", "own:last"),
        ("dict", "out"),
        ("dataclass", "logits"),
        ("dataclass", 0),
        ("model_output", "logits"),
        ("model_output", 0),
    ],
)
def test_the_prediction_is_found_in_either_form(planned: Callable[..., SearchSpace], form: str, output: Any) -> None:
    space = planned({"output": output}, form=form)
    assert [point.name for point in space.points] == ["add"]


@pytest.mark.parametrize(
    ("form", "output", "words"),
    [
        ("auxiliary", None, "in training it returns `logits` (2, 10), `aux` (2, 10). Write its index or its name"),
        ("dict", None, "in training it returns `out` (2, 10), `aux` (2, 10)."),
        ("dataclass", None, "`logits` (2, 10), `states.0` (2, 4, 8, 8), `states.1` (2, 4)."),
        ("dict", "aux", "in evaluation: `train.output: aux` is not among what the network returns: `out` (2, 10)."),
        ("dict", 3, "in training: `train.output: 3` is not among what the network returns: `out` (2, 10), `aux`"),
        ("model_output", "states", "must be (B, 10) for the data set's 10 classes; in training it is (2, 4, 8, 8)."),
        ("dict", "own:wrong", "fails on what the network returns in training, `out` (2, 10), `aux` (2, 10): KeyError"),
    ],
)
def test_what_is_not_there_is_named_with_what_is(
    planned: Callable[..., SearchSpace], form: str, output: Any, words: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        planned({"output": output}, form=form)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("loss", ["own:of_both", "own:asks"])
def test_a_loss_gets_the_prediction_or_all(planned: Callable[..., SearchSpace], loss: str) -> None:
    """With no `train.output` the prediction is all that is returned."""
    output = 0 if loss == "own:asks" else None
    planned({"output": output, "loss": loss}, form="auxiliary")


def test_a_loss_of_the_prediction_does_not_get_all(planned: Callable[..., SearchSpace]) -> None:
    planned({"output": 0, "loss": "own:of_logits"}, form="auxiliary")
    with pytest.raises(ConfigError, match=r"of_logits` fails on `logits` .2, 10., `aux` .2, 10., labels .2,.: Assert"):
        planned({"loss": "own:of_logits"}, form="auxiliary")


def test_a_quality_gets_all_where_it_asks_for_that(planned: Callable[..., SearchSpace]) -> None:
    planned({"output": "out"}, ("accuracy", "own:keys"), form="dict")
    with pytest.raises(ConfigError, match=r"a quality fails on .2, 10.: IndexError"):
        planned({}, ("accuracy", "own:keys"), form="tensor")


@pytest.mark.parametrize(
    ("net", "train", "words"),
    [
        ({"classes": 7}, {}, "must return one tensor (B, 10) for the data set's 10 classes"),
        ({"form": "dict", "classes": 7}, {"output": "out"}, "10 classes; in training it is (2, 7). Change"),
        ({"spoiled": True}, {}, "returns NaN or infinite values in training"),
        ({}, {"loss": "own:backward_fails"}, "the network's gradients fail: RuntimeError: no gradient here"),
        ({}, {"output": ""}, "`train.output` must be the index or the name"),
        ({}, {"output": 1.5}, "`train.output` must be the index or the name"),
        ({}, {"output": True}, "`train.output` must be the index or the name"),
        ({}, {"output": "own:absent"}, "has no `absent`"),
    ],
)
def test_what_would_fail_every_candidate_is_refused(
    planned: Callable[..., SearchSpace], net: dict[str, Any], train: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        planned(train, **net)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_what_is_returned_keeps_its_class(planned: Callable[..., SearchSpace]) -> None:
    import torch

    for form, output in (("model_output", "logits"), ("dataclass", "logits"), ("auxiliary", 0)):
        space = planned({"output": output}, form=form)
        returned = space.build(space.uniform("aff", 4)).train()(torch.randn(2, 1, 8, 8))
        assert type(returned).__name__ == {"model_output": "ModelOutput", "dataclass": "Answer"}.get(form, "Outputs")
        assert returned.logits.shape == (2, 10)
        if form == "model_output":
            assert list(returned) == ["logits", "states"]


def test_predictions_of_other_tasks_have_a_value_for_each_class_or_value(planned: Callable[..., SearchSpace]) -> None:
    planned(objectives=["map"], task="multilabel", classes=3)
    for form in ("tensor", "flat"):
        planned(objectives=["mae"], task="regression", form=form, classes=1)
    for classes in (2, 10):
        with pytest.raises(ConfigError, match=r"must be \(B, 1\) for the data set's 1 values to predict; in training"):
            planned(objectives=["mae"], task="regression", classes=classes)
    with pytest.raises(ConfigError, match=r"one tensor \(B, 3\) for the data set's 3 classes"):
        planned(objectives=["map"], task="multilabel", form="flat", classes=3)


def test_a_quality_of_ones_own_gets_values_in_the_form_of_the_labels(planned: Callable[..., SearchSpace]) -> None:
    planned(objectives=["mae", "own:same_form"], task="regression", classes=1)
