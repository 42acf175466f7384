"""Where a wrong runtime begins to be wrong: the module is named, whatever the network is made of."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from reports.runtimes import Runtime
from reports.runtimes.bisecting import origin_of, steps_of


class Times(nn.Module):
    """Multiplies by a factor, in place where asked."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor


class Block(nn.Module):
    """Adds to what it gets; its own sum is outside of its modules."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.weight = Times(3), Times(5), 1.0

    def forward(self, x: Tensor) -> Tensor:
        return self.weight * x + self.second(self.first(x).relu_())


class Net(nn.Module):
    """Two blocks, one module that is called twice, and a function at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList([Block(), Block()])
        self.twice, self.split, self.end = Times(0.5), Split(), 1.0

    def forward(self, images: Tensor, *others: Tensor) -> Tensor:
        x = self.twice(images)
        for block in self.blocks:
            x = block(x)
        low, high = self.split(self.twice(x))
        return (low + high) * self.end


class Split(nn.Module):
    """Returns a tuple, and a tensor that is no number."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x[:, :1], x[:, 1:]


class Careless(Runtime):
    """Writes networks down with one number changed."""

    title, file, conversions = "Careless", "net.bin", 0

    def __init__(self, path: str, name: str) -> None:
        self.path, self.name = path, name

    def convert(self, network: nn.Module, inputs: Sequence[Tensor], path: Path, *, batch: int | None = None) -> None:
        self.conversions += 1
        wrong = copy.deepcopy(network)
        for found, module in wrong.named_modules():
            if found.removeprefix("network").lstrip(".") == self.path and hasattr(module, self.name):
                setattr(module, self.name, 7.0)
        torch.save(wrong, path)

    def load(self, path: Path, **settings: Any) -> Any:
        network = torch.load(path, weights_only=False)
        return lambda *inputs: [
            tensor.numpy() for tensor in as_list(network(*map(torch.from_numpy, map(np.asarray, inputs))))
        ]


def as_list(returned: Any) -> list[Tensor]:
    return [returned] if isinstance(returned, Tensor) else list(returned)


INPUTS = (torch.rand(2, 2, 3, 3, generator=torch.Generator().manual_seed(0)) + 0.5,)


@pytest.mark.parametrize(
    ("path", "name", "found"),
    [
        ("blocks.0.first", "factor", "module `blocks.0.first` (Times); up to module `twice` (Times) it"),
        (
            "blocks.0.second",
            "factor",
            "module `blocks.0.second` (Times); up to module `blocks.0.first` (Times) it",
        ),
        ("blocks.1", "weight", "module `blocks.1` (Block); up to module `blocks.1.second` (Times) it"),
        ("twice", "factor", "module `twice` (Times)"),
        ("", "end", "what follows the last module; up to module `split` (Split) it"),
    ],
)
def test_the_module_is_named(path: str, name: str, found: str) -> None:
    runtime = Careless(path, name)
    assert str(origin_of(runtime, Net().eval(), INPUTS)).removesuffix(" is right") == found
    assert runtime.conversions <= 4


def test_what_is_inside_an_operator_is_the_operator() -> None:
    titles = {"blocks.1": "fusion point `late` (`aff r=4`)"}
    origin = origin_of(Careless("blocks.1.first", "factor"), Net().eval(), INPUTS, titles)
    assert str(origin) == "fusion point `late` (`aff r=4`); up to module `blocks.0` (Block) it is right"


def test_steps_are_calls_in_their_order() -> None:
    titles = [step.title for step in steps_of(Net().eval(), INPUTS, {"blocks.0": "a point"})]
    assert titles == [
        "module `twice` (Times)",
        "a point",
        "module `blocks.1.first` (Times)",
        "module `blocks.1.second` (Times)",
        "module `blocks.1` (Block)",
        "module `twice` (Times, call 2)",
        "module `split` (Split)",
    ]
