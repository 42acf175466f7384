"""Hosts that are compiled, of other precisions, not yet initialised, or called in unusual ways."""

from __future__ import annotations

import functools
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import spaces
from fusion_ops.errors import SpecError
from tests.spaces.tracing.exactness import check_exact

X = torch.zeros(1, 4, 6, 6)


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.norm(self.conv(x))


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.others = Block(), nn.Sequential(Block(), Block())

    def forward(self, x: Tensor, *more: Tensor, scale: float = 1.5, **settings: Any) -> Tensor:
        return self.others(self.first(x)) * scale


NAMES = ["first.add", "others.0.add", "others.1.add"]


def compiled() -> nn.Module:
    return torch.compile(Net(), backend="eager")  # type: ignore[return-value]


def compiled_within() -> nn.Module:
    net = Net()
    net.others[0] = torch.compile(net.others[0], backend="eager")  # type: ignore[assignment]
    return net


def with_another_forward() -> nn.Module:
    net = Net()
    net.forward = functools.partial(net.forward, scale=0.5)  # type: ignore[method-assign]
    return net


@pytest.mark.parametrize("make", [Net, compiled, compiled_within, with_another_forward])
def test_points_and_weights_have_the_networks_own_names(make: Any) -> None:
    space = spaces.trace(make(), X)
    built = space.build(space.uniform("sum"))
    assert [point.name for point in space.points] == NAMES
    assert list(built.host.state_dict()) == list(Net().state_dict())


def test_a_forward_method_of_the_instance_is_followed() -> None:
    check_exact(with_another_forward(), (4, 6, 6), seeds=1)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions(dtype: torch.dtype) -> None:
    model, x = Net().to(dtype).eval(), torch.randn(2, 4, 6, 6, dtype=dtype)
    space = spaces.trace(model, x)
    assert torch.equal(space.build(space.uniform("sum")).eval()(x), model(x))
    assert space.build(space.uniform("aff", 4)).eval()(x).dtype == dtype


def test_another_precision_than_the_inputs_is_refused_with_what_helps() -> None:
    with pytest.raises(SpecError, match=r"call model\.to\(torch\.float32\)"):
        spaces.trace(Net().half(), X)
    assert len(spaces.trace(Net().half().to(torch.float32), X).points) == len(NAMES)


class Particular(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        assert x.shape[2] % 4 == 0, "sizes are multiples of four"
        return x


def test_a_network_that_refuses_its_example_is_told_so() -> None:
    with pytest.raises(SpecError, match="fails on the example input: AssertionError: sizes are multiples of four"):
        spaces.trace(Particular(), X)
    assert spaces.trace(Particular(), torch.zeros(1, 4, 8, 8)).points == ()
