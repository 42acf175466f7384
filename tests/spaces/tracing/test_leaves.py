"""Modules that cannot be followed stay as they are, with a notice; in the network's own code that is refused."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import spaces
from fusion_ops.errors import SpecError
from spaces.tracing.plan import make_plan
from tests.spaces.tracing.exactness import check_exact

Body = Callable[[Any, Tensor], Any]


class Odd(nn.Module):
    """A module whose body cannot be followed."""

    def __init__(self, body: Body) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 1)
        self.rng, self.steps, self.body = np.random.default_rng(0), 0, body
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, x: Tensor) -> Any:
        return self.body(self, x)


class Block(nn.Module):
    def __init__(self, odd: nn.Module) -> None:
        super().__init__()
        self.conv, self.odd = nn.Conv2d(4, 4, 3, padding=1), odd

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x) + x
        return x + self.odd(x)


class Net(nn.Module):
    def __init__(self, odd: nn.Module) -> None:
        super().__init__()
        self.block, self.head = Block(odd), nn.Conv2d(4, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.block(x))


def on_values(n: Any, x: Tensor) -> Tensor:
    return n.a(x) if float(x.mean()) > 0 else n.b(x)


def on_own_random_number(n: Any, x: Tensor) -> Tensor:
    return n.a(x) + n.b(x) if torch.rand(1).item() < 0.5 else x


def on_pythons_random_number(n: Any, x: Tensor) -> Tensor:
    return n.a(x) + n.b(x) if random.random() < 0.5 else x


def scaled_by_numpy(n: Any, x: Tensor) -> Tensor:
    return (n.a(x) + n.b(x)) * float(np.random.rand())


def on_the_device(n: Any, x: Tensor) -> Tensor:
    return n.a(x) + n.b(x) if x.device.type == "cpu" else x


def on_cuda(n: Any, x: Tensor) -> Tensor:
    return x if x.is_cuda else n.a(x) + n.b(x)


def on_the_batch(n: Any, x: Tensor) -> Tensor:
    return n.a(x) if x.shape[0] % 2 else n.b(x)


def counted_on_the_batch(n: Any, x: Tensor) -> Tensor:
    return torch.cat([n.a(x[index : index + 1]) + n.b(x[:1]) for index in range(int(x.shape[0]))])


def keeps_a_buffer(n: Any, x: Tensor) -> Tensor:
    n.seen = n.seen + x.mean().detach()
    return n.a(x) * n.seen + n.b(x)


def counts_its_passes(n: Any, x: Tensor) -> Tensor:
    n.steps += 1
    return n.a(x) * n.steps + n.b(x)


def without_gradients(n: Any, x: Tensor) -> Tensor:
    with torch.no_grad():
        gate = torch.sigmoid(n.a(x))
    return n.b(x) * gate


def shapes_from_values(n: Any, x: Tensor) -> Tensor:
    return n.a(x) * x[x > 0].numel()


def anchors(n: Any, x: Tensor) -> Tensor:
    grid = torch.stack(torch.meshgrid(*(torch.arange(int(s)) for s in x.shape[:1] + x.shape[2:]), indexing="ij"))
    return n.a(x) + grid[1:].to(x.dtype).sum((0, 1))


LEFT = [
    *(on_values, on_own_random_number, on_pythons_random_number, scaled_by_numpy, on_the_device, on_cuda),
    *(on_the_batch, counted_on_the_batch, keeps_a_buffer, counts_its_passes, without_gradients, shapes_from_values),
    anchors,
]


@pytest.mark.parametrize("body", LEFT, ids=lambda body: body.__name__)
def test_is_called_as_it_is_with_a_notice(body: Body) -> None:
    model = Net(Odd(body))
    space = check_exact(model, (4, 6, 6), seeds=2)
    assert [point.name for point in space.points] == ["block.add", "block.add2"]
    (notice,) = make_plan(model, (torch.zeros(1, 4, 6, 6),)).notices
    assert notice.startswith("module `block.odd` stays as it is")
    assert "test_leaves.py, line" in notice
    assert "\n" not in notice


def test_a_random_generator_is_where_it_was() -> None:
    random.seed(3)
    expected = random.random()
    random.seed(3)
    make_plan(Net(Odd(on_pythons_random_number)), (torch.zeros(1, 4, 6, 6),))
    assert random.random() == expected


@pytest.mark.parametrize("body", [on_pythons_random_number, scaled_by_numpy, on_own_random_number])
def test_the_networks_own_random_branch_is_refused(body: Body) -> None:
    with pytest.raises(SpecError, match="move that part into a module of its own") as error:
        spaces.trace(Odd(body), torch.zeros(1, 4, 6, 6))
    assert "\n" not in str(error.value)


def test_costs_of_what_was_tried_are_not_counted() -> None:
    class Tried(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(4, 4, 1, bias=False)

        def forward(self, x: Tensor) -> Tensor:
            x = self.conv(x)
            return self.conv(x) if float(x.sum()) > 1 else x

    assert make_plan(Net(Tried()), (torch.zeros(1, 4, 6, 6),)).cost.flops == 2 * 36 * 4 * (9 * 4 + 4 + 2)


class Scripted(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.conv(x))


def test_a_scripted_module_is_called_as_it_is() -> None:
    with pytest.warns(DeprecationWarning, match="jit"):
        scripted = torch.jit.script(Scripted())
    model, x = Net(scripted), torch.randn(2, 4, 6, 6)
    space = spaces.trace(model, x)
    assert torch.allclose(space.build(space.uniform("sum"))(x), model(x), atol=1e-6)
    assert [point.name for point in space.points] == ["block.add", "block.add2"]


def doubled(module: nn.Module, inputs: Any, output: Tensor) -> Tensor:
    return output * 2 + output.mean((2, 3), keepdim=True)


def halved(module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return (inputs[0] / 2,)


@pytest.mark.parametrize("path", ["", "block", "block.conv", "head"])
def test_hooks_are_part_of_the_network(path: str) -> None:
    model = Net(nn.Conv2d(4, 4, 1))
    model.get_submodule(path).register_forward_hook(doubled)
    model.get_submodule(path).register_forward_pre_hook(halved)
    space = check_exact(model, (4, 6, 6), seeds=1)
    assert [point.name for point in space.points] == ["block.add", "block.add2"]


def test_a_module_that_fails_on_the_example_is_named() -> None:
    with pytest.raises(SpecError, match=r"module `block\.conv` fails on the example input"):
        spaces.trace(Net(nn.Conv2d(4, 4, 1)), torch.zeros(1, 3, 6, 6))
    assert len(spaces.trace(Net(nn.Conv2d(4, 4, 1)), torch.zeros(1, 4, 6, 6)).points) == 2
