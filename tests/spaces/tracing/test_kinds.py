"""The kind of a fusion point: by resolution and level, not by the length of the ways."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import spaces


def conv(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Module:
    layer = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(outputs), nn.ReLU())


def kinds(model: nn.Module, *shape: int, **settings: Any) -> dict[str, str]:
    space = spaces.trace(model, torch.randn(*(shape or (1, 3, 16, 16))), **settings)
    return {point.name: point.kind for point in space.points}


class EfficientChannels(nn.Module):
    """A gate that leaves the four axes on its way."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.conv, self.fc, self.way = nn.Conv1d(1, 1, 3, padding=1, bias=False), nn.Linear(8, 8), way

    def forward(self, x: Tensor) -> Tensor:
        batch, channels = x.shape[:2]
        if self.way == "view":
            y = self.conv(x.mean((2, 3)).view(batch, 1, channels)).sigmoid().view(batch, channels, 1, 1)
            return x * y.expand_as(x)
        if self.way == "transpose":
            y = functional.adaptive_avg_pool2d(x, 1)
            y = self.conv(y.squeeze(-1).transpose(-1, -2)).transpose(-1, -2).unsqueeze(-1)
            return x * torch.sigmoid(y)
        if self.way == "linear":
            return self.fc(x.mean((2, 3))).sigmoid()[:, :, None, None] * x
        rows, columns = x.mean(3, keepdim=True), x.mean(2, keepdim=True)
        return x * rows.sigmoid() * columns.sigmoid()


class Gated(nn.Module):
    def __init__(self, way: str) -> None:
        super().__init__()
        self.stem, self.a, self.b = conv(3, 8), conv(8, 8), conv(8, 8)
        self.gates = nn.ModuleList(EfficientChannels(way) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x = torch.relu(self.gates[0](self.a(x)) + x)
        return torch.relu(self.gates[1](self.b(x)) + x)


@pytest.mark.parametrize("way", ["view", "transpose", "linear", "rows and columns"])
def test_a_gate_does_not_make_a_shortcut_long(way: str) -> None:
    assert kinds(Gated(way)) == {"add": "short_skip", "add2": "short_skip"}


class Downsampled(nn.Module):
    """Shortcuts by pooling: with a projection, alone, by a blur, and of a block of two branches of one layer."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.pool = conv(3, 8), nn.AvgPool2d(2, 2)
        self.a, self.short = nn.Sequential(conv(8, 8, 3, 2), conv(8, 8)), conv(8, 8, 1)
        self.b, self.c, self.d = conv(8, 8, 3, 2), conv(8, 8), conv(8, 8, 1)
        self.register_buffer("blur", torch.ones(8, 1, 2, 2) / 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x = self.a(x) + self.short(self.pool(x))
        x = self.b(x) + functional.max_pool2d(x, 2)
        x = self.a(x) + self.short(functional.conv2d(x, self.blur, stride=2, groups=8))
        x = torch.cat([self.c(x), self.d(x), functional.max_pool2d(x, 3, 1, 1)], 1)
        return self.c(x[:, :8]) + self.d(x[:, 8:16])


def test_a_pooled_shortcut_is_short_and_a_pooled_branch_is_not() -> None:
    assert list(kinds(Downsampled()).values()) == ["short_skip"] * 3 + ["same_layer"] * 2


class WidelyProjected(nn.Module):
    """A shortcut by one strided 3×3 convolution beside two, and one beside an attention."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.short, self.q = nn.Sequential(conv(3, 8, 3, 2), conv(8, 8)), conv(3, 8, 3, 2), nn.Conv2d(8, 8, 1)
        self.project, self.out = nn.Conv2d(8, 8, 1), nn.Conv2d(8, 8, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.a(x) + self.short(x)
        tokens = self.q(x).flatten(2).transpose(1, 2)
        y = (tokens @ tokens.transpose(1, 2)).softmax(-1) @ tokens
        return self.out(y.transpose(1, 2).reshape(x.shape)) + self.project(x)


def test_a_projection_beside_a_deeper_branch_is_short() -> None:
    assert kinds(WidelyProjected()) == {"add": "short_skip", "add2": "short_skip"}


class Tree(nn.Module):
    """Two blocks whose shortcut is a projected pooling, aggregated at a node of their level."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.root = TreeBlock(3, 8, 2), TreeBlock(8, 8), conv(19, 8, 1)
        self.project = conv(3, 8, 1)

    def forward(self, x: Tensor) -> Tensor:
        bottom = functional.max_pool2d(x, 2)
        one = self.first(x, self.project(bottom))
        two = self.second(one, one)
        return self.root(torch.cat([two, one, bottom], 1))


class TreeBlock(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1, self.conv2 = conv(inputs, outputs, 3, stride), conv(outputs, outputs)

    def forward(self, x: Tensor, shortcut: Tensor) -> Tensor:
        return torch.relu(self.conv2(self.conv1(x)) + shortcut)


def test_aggregation() -> None:
    assert kinds(Tree()) == {"first.add": "short_skip", "second.add": "short_skip", "cat": "long_skip"}


class AttentionGate(nn.Module):
    """A skip gated by what comes from below: the sum of both is a gate, and no point."""

    def __init__(self) -> None:
        super().__init__()
        self.below, self.skip, self.psi = nn.Conv2d(8, 4, 1), nn.Conv2d(8, 4, 1), nn.Conv2d(4, 1, 1)

    def forward(self, skip: Tensor, below: Tensor) -> Tensor:
        return skip * torch.sigmoid(self.psi(torch.relu(self.below(below) + self.skip(skip))))


class AttentionUNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.down1, self.down2, self.gate, self.merge = conv(3, 8), conv(8, 8, 3, 2), AttentionGate(), conv(16, 8)
        self.up = nn.ConvTranspose2d(8, 8, 2, 2)

    def forward(self, x: Tensor) -> Tensor:
        skip = self.down1(x)
        below = self.up(self.down2(skip))
        return self.merge(torch.cat([self.gate(skip, below), below], 1))


def test_a_gated_skip_is_long() -> None:
    assert kinds(AttentionUNet()) == {"cat": "long_skip"}


class BothGates(nn.Module):
    """A channel and a spatial gate of one map, summed."""

    def __init__(self, *, swapped: bool) -> None:
        super().__init__()
        self.stem, self.channel, self.spatial, self.swapped = (
            conv(3, 8),
            nn.Conv2d(8, 8, 1),
            nn.Conv2d(8, 1, 1),
            swapped,
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        c = self.channel(functional.adaptive_avg_pool2d(x, 1)).sigmoid()
        s = self.spatial(x).sigmoid()
        return s * x + c * x if self.swapped else x * c + x * s


@pytest.mark.parametrize("swapped", [False, True])
def test_two_gates_of_one_map_do_not_meet(swapped: bool) -> None:
    assert kinds(BothGates(swapped=swapped)) == {}


class Selective(nn.Module):
    """Two branches of one layer, each with a weight: different maps meet."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.a, self.b, self.weight = conv(3, 8), conv(8, 8), conv(8, 8, 5), nn.Conv2d(8, 16, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        a, b = self.a(x), self.b(x)
        first, second = self.weight((a + b).mean((2, 3), keepdim=True)).sigmoid().chunk(2, 1)
        return a * first + b * second


def test_selected_branches_are_of_one_layer() -> None:
    assert kinds(Selective()) == {"add": "same_layer"}


class Pyramid(nn.Module):
    """Branches of one layer, one of which pools all positions."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.a, self.b, self.pooled, self.out = (
            conv(3, 8),
            conv(8, 8, 1),
            conv(8, 8),
            conv(8, 8, 1),
            conv(24, 8),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        whole = self.pooled(functional.adaptive_avg_pool2d(x, 1))
        whole = functional.interpolate(whole, size=x.shape[2:], mode="bilinear")
        return self.out(torch.cat([self.a(x), self.b(x), whole], 1))


def test_a_pooled_branch_is_of_the_layer() -> None:
    assert kinds(Pyramid(), 2, 3, 16, 16) == {"cat": "same_layer"}


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = conv(8, 8, 1), conv(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv2(self.conv1(x)) + x


class CrossStage(nn.Module):
    """Two branches of a stage, one of which has blocks of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right, self.out = conv(8, 8, 1), conv(8, 8, 1), conv(16, 8, 1)
        self.blocks = nn.Sequential(Residual(), Residual())

    def forward(self, x: Tensor) -> Tensor:
        return self.out(torch.cat((self.blocks(self.left(x)), self.right(x)), 1))


class Group(nn.Module):
    """Blocks with a shortcut over all of them."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.Sequential(Residual(), Residual())

    def forward(self, x: Tensor) -> Tensor:
        return self.blocks(x) + x


class Levels(nn.Module):
    """Stages of one resolution, and a skip over all of them."""

    def __init__(self, stage: type[nn.Module]) -> None:
        super().__init__()
        self.stem, self.stage1, self.stage2, self.out = conv(3, 8), stage(), stage(), conv(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        return self.out(self.stage2(self.stage1(x)) + x)


def test_a_skip_inside_of_a_stage_is_not_one_between_stages() -> None:
    inside = ["short_skip", "short_skip", "{}", "short_skip", "short_skip", "{}", "long_skip"]
    for stage, kind in ((CrossStage, "same_layer"), (Group, "short_skip")):
        assert list(kinds(Levels(stage)).values()) == [found.format(kind) for found in inside]


class Fused(nn.Module):
    """A module of two resolutions, as networks have them that keep several: blocks of each, then all joined."""

    def __init__(self) -> None:
        super().__init__()
        self.high, self.low = Residual(), Residual()
        self.up, self.down = conv(8, 8, 1), conv(8, 8, 3, 2)

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        high, low = self.high(maps[0]), self.low(maps[1])
        return [high + functional.interpolate(self.up(low), scale_factor=2.0), self.down(high) + low]


class Resolutions(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.transition, self.stage, self.out = conv(3, 8), conv(8, 8, 3, 2), Fused(), conv(8, 3)

    def forward(self, x: Tensor) -> list[Tensor]:
        x = self.stem(x)
        return [self.out(y) for y in self.stage([x, self.transition(x)])]


def test_a_module_of_several_resolutions_joins_levels() -> None:
    found = {"stage.high.add": "short_skip", "stage.low.add": "short_skip"}
    assert kinds(Resolutions()) == {**found, "stage.add": "long_skip", "stage.add2": "long_skip"}


class Dual(nn.Module):
    """A residual and a dense part in one block, which begins by joining what the block before left."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = conv(inputs, 8, 1), conv(8, 12)

    def forward(self, parts: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        y = self.conv2(self.conv1(torch.cat(parts, 1)))
        return parts[0] + y[:, :8], torch.cat([parts[1], y[:, 8:]], 1)


class DualPath(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.block1, self.block2, self.out = conv(3, 12), Dual(12), Dual(16), conv(20, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        return self.out(torch.cat(self.block2(self.block1((x[:, :8], x[:, 8:]))), 1))


def test_two_paths_of_one_block_are_short() -> None:
    found = kinds(DualPath())
    ends = ("block1.add", "block1.cat2", "block2.add", "block2.cat2")
    assert [found[name] for name in ends] == ["short_skip"] * 4


class Growing(nn.Module):
    """A block that doubles the resolution: both its ways start lower than they end."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.conv1, self.conv2, self.short = nn.BatchNorm2d(3), conv(3, 8), conv(8, 8), nn.Conv2d(3, 8, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = functional.interpolate(torch.relu(self.norm(x)), scale_factor=2.0)
        return self.conv2(self.conv1(y)) + self.short(functional.interpolate(x, scale_factor=2.0))


def test_a_block_that_upsamples_is_short() -> None:
    assert kinds(Growing()) == {"add": "short_skip"}


class Backbone(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = conv(3, 8), conv(8, 8, 3, 2)

    def forward(self, x: Tensor) -> list[Tensor]:
        first = self.one(x)
        return [first, self.two(first)]


class Neck(nn.Module):
    """Down and up again, over a backbone that may be called as it is."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone, self.lateral, self.down = Backbone(), conv(8, 8, 1), conv(8, 8, 3, 2)
        self.smooth = conv(8, 8)

    def forward(self, x: Tensor) -> list[Tensor]:
        high, low = self.backbone(x)
        high = self.smooth(self.lateral(high) + functional.interpolate(low, scale_factor=2.0))
        return [high, self.down(high) + low]


@pytest.mark.parametrize("exclude", [None, ["backbone"]], ids=["seen", "as it is"])
def test_levels_of_a_neck(exclude: list[str] | None) -> None:
    assert kinds(Neck(), exclude=exclude) == {"add": "long_skip", "add2": "long_skip"}
