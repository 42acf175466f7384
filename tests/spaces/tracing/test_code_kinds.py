"""Kinds of code in forward methods: what is followed, exactly."""

from __future__ import annotations

import math
from collections import OrderedDict, namedtuple
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from tests.spaces.tracing.exactness import check_exact

Body = Callable[[Any, Tensor], Any]
Pair = namedtuple("Pair", ["first", "second"])


class Net(nn.Module):
    """Convolutions, batch norm, and a body that is given as a function."""

    def __init__(self, body: Body) -> None:
        super().__init__()
        self.a, self.b, self.c, self.d = (nn.Conv2d(4, 4, 3, padding=1) for _ in range(4))
        self.part, self.half2 = nn.Conv2d(2, 2, 3, padding=1), nn.Conv2d(2, 2, 1)
        self.join = nn.Conv2d(8, 4, 1)
        self.norm = nn.BatchNorm2d(4)
        self.register_buffer("scale", torch.tensor([0.5, 1.0, 1.5, 2.0]).view(1, 4, 1, 1))
        self.body = body

    def forward(self, x: Tensor) -> Any:
        return self.body(self, x)


class Round(torch.autograd.Function):
    """Rounding, with the gradient of the identity."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, step: float) -> Tensor:
        return torch.round(x / step) * step

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient * 2, None


def straight_through(n: Any, x: Tensor) -> Tensor:
    return n.c(Round.apply(n.a(x), 0.1) + n.b(x))


def added_in_place(n: Any, x: Tensor) -> Tensor:
    x, other = n.a(x), n.b(x)
    x.add_(other)
    return n.c(x) + x


def added_to_an_alias(n: Any, x: Tensor) -> Tensor:
    x, other = n.a(x), n.b(x)
    y = x
    y += other
    return n.c(x) + x


def added_to_a_part(n: Any, x: Tensor) -> Tensor:
    x = n.a(x)
    other = n.part(x[:, 2:].clone())
    x[:, :2] += other
    return n.c(x) + x


def assigned_to_parts(n: Any, x: Tensor) -> Tensor:
    out = torch.zeros_like(x)
    out[:, :2] = n.part(x[:, :2])
    out[:, 2:] = n.half2(x[:, 2:])
    return n.a(out) + n.b(out)


def added_into_another(n: Any, x: Tensor) -> Tensor:
    a, b = n.a(x), n.b(x)
    out = torch.empty_like(a)
    with torch.no_grad():
        pass
    out.copy_(a)
    out.add_(b)
    return n.c(out) + out


def activated_in_place(n: Any, x: Tensor) -> Tensor:
    y = n.a(x)
    functional.relu_(y)
    z = y + n.b(x)
    functional.relu(z, inplace=True)
    return n.c(z) + z


def type_tests(n: Any, x: Tensor) -> Tensor:
    y = n.a(x)
    if isinstance(x, Tensor):
        y = y + n.b(x)
    if torch.is_tensor(y) and type(y) is Tensor:
        y = y + n.c(y)
    if not isinstance(y.shape[1], int) or isinstance(y, list | tuple):
        return x
    return y


def scripted_type_test(n: Any, x: Tensor) -> Tensor:
    parts = [n.a(x), n.b(x)]
    if torch.jit.isinstance(parts, list[Tensor]):
        return n.c(parts[0] + parts[1])
    return x


def kind_of_numbers(n: Any, x: Tensor) -> Tensor:
    if torch.is_floating_point(x) and x.dtype == torch.float32 and x.dtype in {torch.float32, torch.float64}:
        x = n.a(x) + n.b(x)
    return n.c(x)


def growing_list(n: Any, x: Tensor) -> Tensor:
    y = list(n.a(x).chunk(2, 1))
    y.append(n.part(y[-1]))
    y.extend(m(y[-1]) for m in (n.half2,))
    assert len(y) == 4
    return n.join(torch.cat(y, 1))


def lists(n: Any, x: Tensor) -> Tensor:
    first, *others = n.a(x).split([1, 1, 2], dim=1)
    total = torch.cat([first, *reversed(others)], 1)
    for index, (part, other) in enumerate(zip(n.b(x).split(2, 1), n.c(x).split(2, 1), strict=True)):
        total = total + torch.cat([part, other], 1) * (index + 1)
    maps = {f"p{index}": part for index, part in enumerate(total.chunk(2, 1))}
    return n.part(maps["p0"]) + n.half2(maps["p1"])


def extremes(n: Any, x: Tensor) -> Tensor:
    values, indices = n.a(x).max(dim=1, keepdim=True)
    again = n.b(x).max(dim=1, keepdim=True)
    return n.c(x) * values + n.d(x) + again.values + indices


def sizes(n: Any, x: Tensor) -> Tensor:
    height = int(np.floor(x.shape[-1] / 2))
    width = math.ceil(x.shape[-2] / 2)
    y = functional.adaptive_avg_pool2d(n.a(x), (height, width)) + functional.adaptive_avg_pool2d(n.b(x), height)
    for _ in range(y.shape[2] // 2):
        y = n.c(y)
    return functional.interpolate(y, size=x.shape[2:]) + x


def sizes_of_the_batch(n: Any, x: Tensor) -> Tensor:
    b, c, h, w = x.size()
    y = n.a(x).view(b, 2, c // 2, h, w).transpose(1, 2).reshape(b, c, h, w)
    ones = torch.ones(len(x), 1, 1, 1) + torch.zeros((b, 1, 1, 1)) + x.new_zeros(b, 1, 1, 1)
    return y * ones + n.b(x)


def own_random_numbers(n: Any, x: Tensor) -> Tensor:
    y = n.a(x)
    noise = torch.rand(1) + torch.randn(1, 4, 1, 1) * 0.1 + torch.empty(1).uniform_() + torch.randint(0, 3, (1,))
    keep = torch.bernoulli(torch.full((x.shape[0], 1, 1, 1), 0.5))
    return y * noise + n.b(x) * keep


def constants(n: Any, x: Tensor) -> Tensor:
    total = torch.zeros(4)
    total += n.b(x).mean((0, 2, 3))
    for weight in torch.linspace(0.5, 1, 3).tolist():
        x = n.a(x) * weight + x
    grid = torch.arange(x.shape[2], dtype=x.dtype).view(1, 1, -1, 1)
    return x + total.view(1, -1, 1, 1) + grid * n.scale


def named_tuple(n: Any, x: Tensor) -> Any:
    return Pair(n.a(x) + n.b(x), n.c(x))


def ordered_dictionary(n: Any, x: Tensor) -> Any:
    return OrderedDict([("a", n.a(x)), ("sum", n.a(x) + n.b(x))])


def made_in_passing(n: Any, x: Tensor) -> Tensor:
    return nn.Upsample(scale_factor=2)(nn.ReLU()(n.a(x) + n.b(x)))


def checkpointed(n: Any, x: Tensor) -> Tensor:
    return n.c(x) + checkpoint(n.a, x, use_reentrant=False)


def pooled_and_normalised(n: Any, x: Tensor) -> Tensor:
    return n.a(x) + n.b(x) * n.norm(functional.adaptive_avg_pool2d(n.c(x), 1))


FOLLOWED: list[tuple[Body, list[tuple[int, ...]]]] = [
    (straight_through, [(4, 4)]),
    (added_in_place, [(4, 4), (4, 4)]),
    (added_to_an_alias, [(4, 4), (4, 4)]),
    (added_to_a_part, [(4, 4)]),
    (assigned_to_parts, [(4, 4)]),
    (added_into_another, [(4, 4), (4, 4)]),
    (activated_in_place, [(4, 4), (4, 4)]),
    (type_tests, [(4, 4), (4, 4)]),
    (scripted_type_test, [(4, 4)]),
    (kind_of_numbers, [(4, 4)]),
    (growing_list, [(2, 2, 2, 2)]),
    (extremes, [(4, 4)]),
    (sizes, [(4, 4), (4, 4)]),
    (sizes_of_the_batch, [(4, 4)]),
    (own_random_numbers, [(4, 4)]),
    (constants, []),
    (lists, []),
    (named_tuple, [(4, 4)]),
    (ordered_dictionary, [(4, 4)]),
    (made_in_passing, [(4, 4)]),
    (checkpointed, [(4, 4)]),
    (pooled_and_normalised, [(4, 4)]),
]


@pytest.mark.parametrize(("body", "channels"), FOLLOWED, ids=lambda value: getattr(value, "__name__", ""))
def test_is_followed_exactly(body: Body, channels: list[tuple[int, ...]]) -> None:
    space = check_exact(Net(body), (4, 6, 6))
    if channels:
        assert [point.in_channels for point in space.points] == channels


kept = Round.apply


class Keeping(nn.Module):
    """Names under which `apply` is kept: an attribute, and a global."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.round = nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 1), Round.apply

    def forward(self, x: Tensor) -> Any:
        return self.round(self.a(x), 0.1) + kept(self.b(x), 0.2)


def test_a_gradient_of_its_own_is_one_call_under_any_name() -> None:
    model = nn.Sequential(Keeping(), nn.Conv2d(4, 4, 1))
    space = check_exact(model, (4, 6, 6))
    assert ([point.name for point in space.points], space.notices) == (["0.add"], ())
    assert model[0].round == Round.apply == kept
