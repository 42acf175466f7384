"""Networks that symbolic tracing cannot follow: `torch.export` gives their graph."""

import math
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import spaces
from fusion_ops.errors import SpecError
from tests.spaces.tracing.exactness import check_exact
from tests.spaces.tracing.traced_models import Wrapper


class SamePadding(nn.Conv2d):
    """Sizes go through `math`, as in networks that pad as TensorFlow does."""

    def forward(self, x: Tensor) -> Tensor:
        height, kernel, stride = x.shape[-2], self.kernel_size[0], self.stride[0]
        pad = max((math.ceil(height / stride) - 1) * stride + kernel - height, 0)
        x = functional.pad(x, [pad // 2, pad - pad // 2] * 2)
        return functional.conv2d(x, self.weight, self.bias, self.stride)


class Block(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv, self.bn = nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)
        self.drop = nn.Dropout2d(0.5)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(x + self.drop(self.bn(self.conv(x))))


class Sizes(nn.Module):
    """Counts by sizes, makes tensors, asks for the size of the batch as a number, and returns a dictionary."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = SamePadding(3, 8, 3, stride=2)
        self.blocks = nn.ModuleList(Block(8) for _ in range(2))
        self.head = nn.Linear(16, 4)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        x = self.stem(x)
        for index in range(x.shape[1] // 4):
            x = self.blocks[index](x)
        grid = torch.linspace(-1, 1, int(x.shape[3]), device=x.device).expand(int(x.shape[0]), 8, x.shape[2], -1)
        x = torch.cat([x, functional.max_pool2d(x, 3, 1, 1)], 1)
        return {"map": x[:, :8] + grid, "logits": self.head(x.mean((2, 3)).view(len(x), -1))}


class Routed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.block = Block(3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.block(x)
        return x if float(x.mean()) > 0.5 else x + torch.ones(3)[:, None, None]


def test_computes_what_the_network_does(check: Any) -> None:
    found = [
        ("blocks.0.add", "short_skip", (8, 8)),
        ("blocks.1.add", "short_skip", (8, 8)),
        ("cat", "short_skip", (8, 8)),
    ]
    check(Sizes(), (1, 3, 17, 17), found)


def test_cost_and_exclusion() -> None:
    space = spaces.trace(Sizes(), torch.zeros(1, 3, 17, 17), exclude=["blocks.1", "cat"])
    assert [p.name for p in space.points] == ["blocks.0.add"]
    positions = 9 * 9
    convolutions = 2 * positions * 9 * (3 * 8 + 2 * 8 * 8)
    assert space.cost(space.uniform("sum")).flops == convolutions + 2 * 16 * 4


def test_what_neither_can_follow_is_refused_with_its_line() -> None:
    with pytest.raises(SpecError, match=r"float\(x.mean\(\)\) > 0.5"):
        spaces.trace(Routed(), torch.zeros(1, 3, 8, 8))


class Stage(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.Sequential(Block(3), Block(3))

    def forward(self, x: Tensor) -> Tensor:
        return self.blocks(x)


class Counting(nn.Module):
    """Its own code asks for a number of the batch."""

    def __init__(self) -> None:
        super().__init__()
        self.stage = Stage()
        self.branches = nn.ModuleList(nn.Conv2d(3, 4, k, padding=k // 2) for k in (1, 3))

    def forward(self, x: Tensor) -> Tensor:
        x = self.stage(x) * (1 / int(x.shape[0]))
        return torch.concat([branch(x) for branch in self.branches], 1) + torch.tensor([0.5]).view(1, 1, 1, 1)


def test_points_are_named_as_the_first_tracer_names_them() -> None:
    space = check_exact(Counting(), (3, 8, 8), seeds=2)
    names = ["stage.blocks.0.add", "stage.blocks.1.add", "cat"]
    assert [(point.name, point.stage) for point in space.points] == [
        *((name, "stage.blocks") for name in names[:2]),
        ("cat", "network"),
    ]


@pytest.mark.parametrize("wrap", [Wrapper, lambda net: Wrapper(Wrapper(net))])
def test_a_wrapped_network_is_followed_as_it_is_without_its_wrapper(wrap: Callable[[nn.Module], nn.Module]) -> None:
    """The first tracer would leave nearly all of it alone."""
    space = check_exact(wrap(Counting()), (3, 8, 8), seeds=1)
    names = ["stage.blocks.0.add", "stage.blocks.1.add", "cat"]
    assert [point.name.removeprefix("net.").removeprefix("net.") for point in space.points] == names
    assert space.notices == ()


class Drawing(nn.Module):
    """Its own code asks for a number of the batch, and has another one drawn by NumPy."""

    def __init__(self) -> None:
        super().__init__()
        self.block = Block(3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.block(x) / int(x.shape[0])
        return x * torch.as_tensor(np.random.uniform(size=1)).float()


def test_what_numpy_draws_is_not_kept_for_good(capfd: pytest.CaptureFixture[str]) -> None:
    """PyTorch exports it, as numbers that its own generator draws."""
    with pytest.raises(SpecError, match="depends on the number of images"):
        spaces.trace(Drawing(), torch.zeros(1, 3, 8, 8))
    assert capfd.readouterr() == ("", "")


def test_a_refusal_in_a_fresh_process_is_its_line_alone() -> None:
    """What PyTorch logs comes from modules that it imports when it exports for the first time."""
    script = (
        "import torch, spaces\n"
        "from tests.spaces.tracing.traced_models import small\n"
        "try: spaces.trace(small(), torch.zeros(1, 5, 8, 8))\n"
        "except spaces.SpecError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr, len(done.stdout.splitlines())) == (0, "", 1)
