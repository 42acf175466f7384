"""The space `traced`: the user's function by name, and what it must fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import spaces
from fusion_ops.errors import SpecError
from spaces import Architecture


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))


MODEL = "traced_models:small"
SHAPE = {"in_channels": 2, "input_size": (8, 8)}


def test_reference_recreates_the_space() -> None:
    space = spaces.create("traced", model=MODEL, kwargs={"width": 6}, example=[1, 2, 8, 8])
    assert [(p.name, p.in_channels) for p in space.points] == [("add", (6, 6)), ("cat", (6, 6, 6))]
    read = Architecture.from_json(space.uniform("aff", 4).to_json())
    again = spaces.from_ref(read.space)
    assert again.ref == space.ref
    assert again.cost(read) == space.cost(read)
    assert again.build(read)(torch.randn(2, 2, 8, 8)).shape == (2, 3)


def test_example_is_taken_from_the_data() -> None:
    given = spaces.create("traced", model=MODEL, example=[1, 2, 8, 8], num_classes=3)
    assert given.ref == spaces.create("traced", model=MODEL, num_classes=3, **SHAPE).ref
    assert given.host.task == "classification"


def test_weights_depend_on_the_seed_as_those_of_the_function_do() -> None:
    space = spaces.create("traced", model=MODEL, **SHAPE)
    torch.manual_seed(3)
    first = space.build(space.uniform("sum")).host.stem.weight
    torch.manual_seed(3)
    assert torch.equal(space.build(space.uniform("sum")).host.stem.weight, first)
    assert not torch.equal(space.build(space.uniform("sum")).host.stem.weight, first)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "`model`"),
        ({"model": "small"}, "`package.module:function`"),
        ({"model": "traced_models:smal"}, "did you mean `small`"),
        ({"model": "traced_models:number"}, "must return an nn.Module; got int"),
        ({"model": "traced_models:broken"}, "OSError: no weights here"),
        ({"model": MODEL, "kwargs": {"depth": 3}}, "depth"),
        ({"model": MODEL, "example": [2, 8, 8]}, "`example`"),
        ({"model": MODEL, "example": [1, 2, 8, 8], "in_channels": 3, "input_size": (8, 8)}, "3 channels, 8 × 8"),
        ({"model": MODEL, "num_classes": 10, **SHAPE}, "10 classes"),
        ({"model": MODEL, "in_channels": 3, "input_size": (8, 8)}, "`stem`"),
        ({"model": MODEL, "exclude": "add", **SHAPE}, "`exclude`"),
        ({"model": MODEL, "exclude": ["*"], **SHAPE}, "nothing to search"),
        ({"model": "os:system", "kwargs": {"command": "exit 3"}, **SHAPE}, "a function of your own"),
        ({"model": "torch.hub:load", **SHAPE}, "a function of your own"),
    ],
)
def test_wrong_settings_are_named(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(SpecError) as error:
        spaces.create("traced", **settings)
    assert words in str(error.value)
    assert "\n" not in str(error.value)
