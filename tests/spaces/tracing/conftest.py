"""What every traced architecture keeps."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

import spaces
from spaces import Architecture, SearchSpace

Found = list[tuple[str, str, tuple[int, ...]]]
Check = Callable[[nn.Module, tuple[int, ...], Found], SearchSpace]


def tensors(output: Any) -> list[Tensor]:
    if isinstance(output, Tensor):
        return [output]
    values = output.values() if isinstance(output, dict) else output
    return [tensor for value in values for tensor in tensors(value)]


def as_it_is(space: SearchSpace) -> Architecture:
    """Return the architecture that fuses as the host does."""
    return spaces.Architecture(
        space.ref,
        tuple(
            (p.name, spaces.space.FusionChoice("concat" if p.out_channels == sum(p.in_channels) else "sum"))
            for p in space.points
        ),
    )


def check_equal(model: nn.Module, space: SearchSpace, shape: tuple[int, ...]) -> None:
    """Weights, buffers, both modes and random layers give what the model gives, to 1e-5."""
    for training in (False, True):
        original = deepcopy(model).train(training)
        traced = space.build(as_it_is(space)).train(training)
        x = torch.randn(3, *shape[1:])
        torch.manual_seed(7)
        expected = tensors(original(x.clone()))
        torch.manual_seed(7)
        got = tensors(traced(x.clone()))
        assert len(got) == len(expected)
        for ours, theirs in zip(got, expected, strict=True):
            assert ours.shape == theirs.shape
            assert (ours - theirs).abs().max() <= 1e-5
        after = traced.host.state_dict()
        assert after.keys() == original.state_dict().keys()
        for key, value in original.state_dict().items():
            assert torch.allclose(after[key], value, atol=1e-5), key


def check_costs(space: SearchSpace, shape: tuple[int, ...]) -> None:
    for architecture in (as_it_is(space), space.uniform("aff", 4), space.uniform("concat")):
        with torch.device("cpu"):
            network = space.build(architecture).eval()
        counter = FlopCounterMode(display=False)
        with counter, torch.no_grad():
            network(torch.randn(1, *shape[1:]))
        cost = space.cost(architecture)
        assert cost.params == sum(parameter.numel() for parameter in network.parameters())
        assert cost.flops == counter.get_total_flops()


def check_trains(model: nn.Module, space: SearchSpace, shape: tuple[int, ...]) -> None:
    """An `aff` candidate takes a step, and the model is not touched by it."""
    before = deepcopy(model.state_dict())
    network = space.build(space.uniform("aff", 4), init="sum").train()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
    sum(output.square().mean() for output in tensors(network(torch.randn(2, *shape[1:])))).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, f"{name} has no gradient"
        assert parameter.grad.isfinite().all(), name
    first = next(network.host.parameters()).detach().clone()
    optimizer.step()
    assert not torch.equal(next(network.host.parameters()), first)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


@pytest.fixture
def check() -> Check:
    def checked(model: nn.Module, shape: tuple[int, ...], expected: Found) -> SearchSpace:
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.uniform_(module.running_mean, -0.2, 0.2)
                nn.init.uniform_(module.running_var, 0.8, 1.2)
        space = spaces.trace(model, torch.randn(shape))
        assert [(point.name, point.kind, point.in_channels) for point in space.points] == expected
        check_equal(model, space, shape)
        check_costs(space, shape)
        check_trains(model, space, shape)
        return space

    return checked
