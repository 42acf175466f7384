"""Ways of writing a sum or a concatenation, nested ones, and those that only one form of a network has."""

from __future__ import annotations

import math
from collections.abc import Callable
from copy import deepcopy
from functools import reduce
from typing import Any

import pytest
import torch
from torch import Tensor, fx, nn
from torch.nn import functional

import spaces
from spaces import SearchSpace
from spaces.tracing.plan import Plan
from spaces.tracing.points.finding import matched, points
from spaces.tracing.recording.marks import PLACE, SCOPE, VALUE


class Net(nn.Module):
    """Four convolutions and a body that is given as a function."""

    def __init__(self, body: Callable[[Any, Tensor], Any]) -> None:
        super().__init__()
        self.a, self.b, self.c, self.d = (nn.Conv2d(4, 4, 3, padding=1) for _ in range(4))
        self.block = Block()
        self.body = body

    def forward(self, x: Tensor) -> Any:
        return self.body(self, x)


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.conv(x)) + x


def maps(n: Any, x: Tensor) -> list[Tensor]:
    return [n.a(x), n.b(x), n.c(x)]


def traced(body: Callable[[Any, Tensor], Any]) -> tuple[nn.Module, SearchSpace]:
    model = Net(body)
    return model, spaces.trace(model, torch.randn(1, 4, 6, 6))


def notices(space: SearchSpace) -> tuple[str, ...]:
    plan: Plan = space.host.plan  # type: ignore[attr-defined]
    return plan.notices


def check_exact(model: nn.Module, space: SearchSpace, op: str) -> None:
    """What is built gives the bits of the original, its memory order, and its gradients."""
    for training in (False, True):
        x, y = (torch.randn(2, 4, 6, 6, generator=torch.manual_seed(1)).requires_grad_() for _ in range(2))
        original, built = deepcopy(model).train(training), space.build(space.uniform(op)).train(training)
        expected, got = original(x), built(y)
        assert torch.equal(got, expected)
        assert got.stride() == expected.stride()
        for out in (expected, got):
            out.square().sum().backward()
        assert torch.allclose(y.grad, x.grad, rtol=1e-4, atol=1e-5)


SUMS: dict[str, Callable[[Any, Tensor], Tensor]] = {
    "stack": lambda n, x: n.d(torch.stack(maps(n, x)).sum(0)),
    "stack by its name": lambda n, x: torch.sum(torch.stack(tensors=maps(n, x), dim=1), dim=1),
    "stack from behind": lambda n, x: torch.stack(maps(n, x), -1).sum(dim=-1),
    "stack of a list of dims": lambda n, x: torch.stack(tuple(maps(n, x)), dim=2).sum([2]),
    "mean": lambda n, x: n.d(torch.stack(maps(n, x)).mean(0)),
    "mean by a function": lambda n, x: torch.mean(torch.stack(maps(n, x), 1), dim=1),
    "builtin": lambda n, x: sum(maps(n, x)),
    "reduced": lambda n, x: reduce(torch.add, maps(n, x)),
    "alpha of one": lambda n, x: torch.add(torch.add(n.a(x), n.b(x), alpha=1), n.c(x)),
    "method": lambda n, x: n.a(x).add(n.b(x)).add(n.c(x)),
    "in place": lambda n, x: n.a(x).add_(n.b(x)).add_(n.c(x)),
}


@pytest.mark.parametrize("name", SUMS)
def test_a_sum_of_three(name: str) -> None:
    model, space = traced(SUMS[name])
    assert [point.in_channels for point in space.points] == [(4, 4, 4)]
    check_exact(model, space, "sum")
    network = space.build(space.uniform("aff", 4), init="sum")
    x = torch.randn(2, 4, 6, 6)
    assert torch.allclose(network(x), model(x), atol=1e-5)


CONCATENATIONS: dict[str, Callable[[Any, Tensor], Tensor]] = {
    "hstack": lambda n, x: torch.hstack(maps(n, x)),
    "concat": lambda n, x: torch.concat(maps(n, x), 1),
    "concatenate": lambda n, x: torch.concatenate(maps(n, x), axis=1),
    "from behind": lambda n, x: torch.cat(tuple(maps(n, x)), dim=-3),
    "nested": lambda n, x: torch.cat([n.a(x), torch.cat([n.b(x), n.c(x)], 1)], 1),
}


@pytest.mark.parametrize("name", CONCATENATIONS)
def test_a_concatenation_of_three(name: str) -> None:
    model, space = traced(CONCATENATIONS[name])
    assert [(point.in_channels, point.out_channels) for point in space.points] == [((4, 4, 4), 12)]
    check_exact(model, space, "concat")


NONE: dict[str, Callable[[Any, Tensor], Tensor]] = {
    "difference": lambda n, x: n.a(x) - n.b(x),
    "alpha": lambda n, x: torch.add(n.a(x), n.b(x), alpha=2),
    "another axis": lambda n, x: torch.stack(maps(n, x)).sum(1),
    "rows": lambda n, x: torch.dstack(maps(n, x)),
    "maximum": lambda n, x: torch.stack(maps(n, x)).amax(0),
    "one map, gated twice": lambda n, x: x * torch.sigmoid(n.a(x)) + x * x.mean((2, 3), keepdim=True).sigmoid(),
    "one map, spread gates": lambda n, x: n.d(
        x * torch.sigmoid(n.b(x).mean((2, 3))).view(-1, 4, 1, 1).expand_as(x) + x
    ),
}


@pytest.mark.parametrize("name", NONE)
def test_no_sum_of_maps(name: str) -> None:
    model, space = traced(NONE[name])
    assert space.points == ()
    assert notices(space) == ()
    x = torch.randn(2, 4, 6, 6)
    assert torch.equal(space.build(spaces.Architecture(space.ref, ()))(x), model(x))


NESTED: dict[str, tuple[Callable[[Any, Tensor], Tensor], list[tuple[int, ...]]]] = {
    "from the left": (lambda n, x: (n.a(x) + n.b(x)) + n.c(x), [(4, 4, 4)]),
    "from the right": (lambda n, x: n.a(x) + (n.b(x) + n.c(x)), [(4, 4), (4, 4)]),
    "both": (lambda n, x: (n.a(x) + n.b(x)) + (n.c(x) + n.d(x)), [(4, 4), (4, 4, 4)]),
    "a block and a skip": (lambda n, x: n.block(x) + n.d(x), [(4, 4), (4, 4)]),
    "of a mean": (lambda n, x: torch.stack(maps(n, x)).mean(0) + n.d(x), [(4, 4, 4), (4, 4)]),
    "the inner one is read twice": (lambda n, x: torch.relu(y := n.a(x) + n.b(x)) * 2 + (y + n.c(x)), [(4, 4)] * 3),
}


@pytest.mark.parametrize("name", NESTED)
def test_nested_sums_keep_their_association(name: str) -> None:
    body, channels = NESTED[name]
    model, space = traced(body)
    assert [point.in_channels for point in space.points] == channels
    check_exact(model, space, "sum")


def later_view(n: Any, x: Tensor) -> Tensor:
    """The first operand decides the order in memory, which the view needs."""
    last = n.a(x).permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
    y = x * 2 + last + torch.relu(n.b(n.c(x)))
    return y.view(y.shape[0], -1)


def test_operands_keep_their_order() -> None:
    model, space = traced(later_view)
    check_exact(model, space, "sum")


class Noisy(nn.Module):
    """A branch with noise in training, layers that are skipped in evaluation, and shaken branches."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = (nn.Conv2d(4, 4, 3, padding=1) for _ in range(3))
        self.blocks = nn.ModuleList(Shaken() for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        x = self.a(x)
        if self.training:
            x = x + self.b(functional.dropout(x))
        for block in self.blocks:
            x = block(x)
        return x + self.c(x)


class Shaken(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = (nn.Conv2d(4, 4, 3, padding=1) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        left, right = self.left(x), self.right(torch.relu(x))
        if self.training:
            share = torch.rand_like(x[:, :1, :1, :1])
            y = share * left + (1 - share) * right
        else:
            y = 0.5 * (left + right)
        return x + y


def test_a_sum_of_one_form_does_not_shift_the_others() -> None:
    space = spaces.trace(Noisy(), torch.randn(2, 4, 6, 6))
    names = [point.name for point in space.points]
    assert names[-1] == "add"
    assert {"blocks.0.add2", "blocks.1.add2", "blocks.2.add2"} <= set(names)
    assert any("exists in training only" in notice and "`network`" in notice for notice in notices(space))
    network = space.build(space.uniform("aff", 4))
    sources = network.sources
    for source in sources:  # the operator of the last sum is the last one in both forms
        calls = [line for line in source.splitlines() if "self.fusions." in line]
        assert "self.fusions.add(" in calls[-1]
        assert len(calls) == len(names)


class Repeated(nn.Module):
    """One line of code that training passes once more: nobody can tell which passes belong together."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(3 if self.training else 2):
            x = torch.relu(self.a(x)) + x
        return self.b(x) + x


def test_what_runs_more_often_in_one_form_is_left_alone() -> None:
    space = spaces.trace(Repeated(), torch.randn(2, 4, 6, 6))
    assert [point.in_channels for point in space.points] == [(4, 4)]
    assert notices(space) == (
        "a sum of 4 × 6 × 6 in `network` is no fusion point: it runs 2 times in evaluation and 3 times in training",
    )


class Asking(nn.Module):
    """Its training form asks for a number as symbolic tracing cannot tell it: another tracer follows it."""

    def __init__(self) -> None:
        super().__init__()
        self.block, self.head = Block(), nn.Conv2d(4, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.block(x)
        if self.training:
            x = x * math.sqrt(math.floor(x.shape[-1] / 2))
        return self.head(x) + x


def test_forms_of_two_tracers_have_the_same_points() -> None:
    space = spaces.trace(Asking(), torch.randn(2, 4, 6, 6))
    assert [point.name for point in space.points] == ["block.add", "add"]


class Valued(fx.Interpreter):
    """Notes what every node computes, and in which module and place it is."""

    def __init__(self, module: fx.GraphModule, line: int) -> None:
        super().__init__(module)
        self._line = line

    def run_node(self, n: fx.Node) -> Any:
        value = n.meta[VALUE] = super().run_node(n)
        n.meta[SCOPE], n.meta[PLACE] = "", (self._line, n.name)
        return value


def test_forms_without_common_places_are_compared_by_module() -> None:
    forms = []
    for line in (1, 2):
        module = fx.symbolic_trace(Block())
        Valued(module, line).run(torch.zeros(2, 4, 6, 6))
        forms.append(points(module.graph)[0])
    both, left = matched(forms[0], forms[1])
    assert (list(both), left) == (["add"], ())


def filled(n: Any, x: Tensor) -> Tensor:
    places = torch.zeros_like(x)
    places[:, :2] = n.a(x)[:, :2]
    return n.b(x) + places


@pytest.mark.parametrize(
    ("body", "channels"),
    [
        (lambda n, x: n.a(x) + n.b(x) + 0 * torch.randn_like(x), [(4, 4)]),
        (lambda n, x: n.a(x) + x.new_ones(x.shape), []),
        (filled, [(4, 4)]),
    ],
)
def test_what_takes_a_shape_alone_is_no_feature_map_unless_it_is_filled(body: Any, channels: list[Any]) -> None:
    model, space = traced(body)
    assert [point.in_channels for point in space.points] == channels
    check_exact(model, space, "sum") if channels else None


def viewed_later(n: Any, x: Tensor) -> Tensor:
    y: Tensor = n.a(x)
    y += x
    functional.relu(y, inplace=True)
    first, second = y.split(2, 1)
    return n.b(y) * torch.sigmoid(first.mean() + second.mean())


def viewed_before(n: Any, x: Tensor) -> Tensor:
    y: Tensor = n.a(x)
    first = y[:, :2]
    y += x
    return n.b(y) * torch.sigmoid(first.mean())


@pytest.mark.parametrize(("body", "names"), [(viewed_later, ["add"]), (viewed_before, [])])
def test_what_is_overwritten_may_be_viewed_afterwards_not_before(body: Any, names: list[str]) -> None:
    model, space = traced(body)
    assert [point.name for point in space.points] == names
    check_exact(model, space, "sum") if names else None
