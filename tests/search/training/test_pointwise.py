"""1×1 convolutions as matrix products: the same numbers, the same network afterwards."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from search.training.pointwise import matrix_products

POINTWISE = {
    "one position": (nn.Conv2d(6, 4, 1), (3, 6, 1, 1)),
    "few channels": (nn.Conv2d(6, 2, 1), (3, 6, 5, 4)),
    "without bias": (nn.Conv2d(6, 2, 1, bias=False), (3, 6, 5, 4)),
    "weights larger than the maps": (nn.Conv2d(64, 64, 1), (2, 64, 3, 3)),
    "stride": (nn.Conv2d(6, 4, 1, 2), (3, 6, 5, 4)),
    "strides": (nn.Conv2d(6, 4, 1, (3, 1)), (3, 6, 5, 4)),
    "stride of 3-D": (nn.Conv3d(6, 2, 1, (1, 2, 3), bias=False), (3, 6, 5, 4, 4)),
    "stride that leaves one position": (nn.Conv2d(6, 4, 1, 2), (3, 6, 2, 2)),
    "batch of one": (nn.Conv2d(6, 2, 1), (1, 6, 5, 4)),
    "1-D": (nn.Conv1d(6, 2, 1), (3, 6, 5)),
    "3-D": (nn.Conv3d(6, 2, 1), (3, 6, 5, 4, 3)),
    "one position of 3-D": (nn.Conv3d(6, 2, 1), (3, 6, 1, 1, 1)),
}
OTHERS = {
    "kernel": nn.Conv2d(6, 4, (1, 3)),
    "padding": nn.Conv2d(6, 4, 1, padding=1),
    "groups": nn.Conv2d(6, 4, 1, groups=2),
}


class Own(nn.Conv2d):
    """A convolution of the user's own, which may compute anything."""


def run(model: nn.Module, x: Tensor) -> list[Tensor]:
    """Return output and gradients of a training step."""
    x = x.clone().requires_grad_()
    out = model(x)
    model.zero_grad()
    (out * torch.linspace(-1, 2, out.numel(), dtype=out.dtype).view_as(out)).sum().backward()
    gradients = [parameter.grad for parameter in model.parameters()]
    assert x.grad is not None
    assert all(gradient is not None for gradient in gradients)
    return [out.detach(), x.grad, *(gradient.clone() for gradient in gradients if gradient is not None)]


@pytest.mark.parametrize("name", POINTWISE)
@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
def test_equals_the_convolution(name, order):
    plain, shape = POINTWISE[name]
    if order is torch.channels_last and len(shape) != 4:
        order = torch.contiguous_format
    model = copy.deepcopy(plain).double()
    x = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).to(memory_format=order)
    expected = run(model, x)
    with matrix_products(model):
        assert type(model) is not type(plain)
        found = run(model, x)
    assert type(model) is type(plain)
    for one, other in zip(expected, found, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("name", OTHERS)
def test_other_convolutions_stay(name):
    model = nn.Sequential(OTHERS[name], Own(4, 4, 1))
    with matrix_products(model):
        assert [type(part) for part in model] == [nn.Conv2d, Own]


def test_products_are_what_runs(monkeypatch):
    model = nn.Sequential(nn.Conv2d(6, 2, 1), nn.AdaptiveAvgPool2d(1), nn.Conv2d(2, 6, 1))
    monkeypatch.setattr(nn.Conv2d, "forward", None)
    with matrix_products(model):
        assert model(torch.ones(2, 6, 4, 4)).shape == (2, 6, 1, 1)


def test_the_network_is_as_it_was_after_an_error_too():
    model = nn.Sequential(nn.Conv2d(6, 2, 1))
    with pytest.raises(RuntimeError), matrix_products(model):
        model(torch.ones(2, 5, 4, 4))
    assert type(model[0]) is nn.Conv2d
