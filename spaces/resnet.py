"""Residual networks: every identity shortcut is a short-skip fusion point.

CIFAR form: He et al., "Identity Mappings in Deep Residual Networks" (arXiv 1603.05027), as used in
"Attentional Feature Fusion" (arXiv 2009.14082): pre-activation blocks, no activation after the fusion.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fusion_ops import Cost, Recipe
from fusion_ops.cost import batch_norm, convolution
from fusion_ops.errors import SpecError
from spaces.host import HOSTS, HostNetwork, check_whole, image_size
from spaces.point import FusionPoint

__all__ = ["CifarResNet", "PreActivationBlock", "ResNet"]

STAGES = 3


class PreActivationBlock(nn.Module):
    """`fusion(F(x), S(x))`: F is BN-ReLU-conv twice, S the identity or a 1×1 convolution.

    `(B, C_in, H, W) -> (B, C_out, H / stride, W / stride)`.

    Args:
        in_channels: C_in.
        out_channels: C_out.
        stride: Stride of the first convolution, 1 or 2.
        fusion: Operator that takes the residual branch and the shortcut.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int, fusion: nn.Module) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(in_channels)
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            self.shortcut = nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)
        self.fusion = fusion

    def forward(self, x: Tensor) -> Tensor:
        """Return the fused block output."""
        active = torch.relu(self.norm1(x))
        identity = x if isinstance(self.shortcut, nn.Identity) else self.shortcut(active)
        residual = self.conv2(torch.relu(self.norm2(self.conv1(active))))
        fused: Tensor = self.fusion(residual, identity)
        return fused


class CifarResNet(nn.Module):
    """A CIFAR residual network of depth 6n + 2: `(B, in_channels, H, W) -> (B, num_classes)` logits.

    Args:
        depth: 6n + 2, n blocks in each of three stages.
        width: Channels of the first stage; doubled with every stage.
        num_classes: Classes.
        in_channels: Channels of the images.
        fusions: Operator of each block by name, `stage1.block1` first.
    """

    def __init__(
        self, depth: int, width: int, num_classes: int, in_channels: int, fusions: Mapping[str, nn.Module]
    ) -> None:
        super().__init__()
        blocks = (depth - 2) // 6
        self.stem = nn.Conv2d(in_channels, width, 3, padding=1, bias=False)
        self.stages = nn.ModuleDict()
        channels = width
        for stage in range(3):
            members = nn.ModuleDict()
            for block in range(blocks):
                stride = 2 if stage > 0 and block == 0 else 1
                fusion = fusions[f"stage{stage + 1}.block{block + 1}"]
                members[f"block{block + 1}"] = PreActivationBlock(channels, width * 2**stage, stride, fusion)
                channels = width * 2**stage
            self.stages[f"stage{stage + 1}"] = nn.Sequential(*members.values())
        self.norm = nn.BatchNorm2d(channels)
        self.head = nn.Linear(channels, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits."""
        x = self.stem(x)
        for stage in self.stages.values():
            x = stage(x)
        x = torch.relu(self.norm(x)).mean(dim=(2, 3))
        logits: Tensor = self.head(x)
        return logits


@HOSTS.register("resnet")
@dataclass(frozen=True, slots=True)
class ResNet(HostNetwork):
    """A residual network in CIFAR form.

    Args:
        depth: 6n + 2: 8, 14, 20, 26, …
        width: Channels of the first stage, at least 1.
        num_classes: Classes.
        in_channels: Channels of the images.
        input_size: Height and width of the images in pixels.

    Raises:
        SpecError: A setting has an impossible value.
    """

    depth: int = 20
    width: int = 16
    num_classes: int = 10
    in_channels: int = 3
    input_size: tuple[int, int] = (32, 32)

    def __post_init__(self) -> None:
        """Check the settings."""
        check_whole(depth=self.depth, width=self.width, num_classes=self.num_classes, in_channels=self.in_channels)
        if self.depth < 8 or (self.depth - 2) % 6:
            raise SpecError(f"`depth` of a CIFAR ResNet must be 6n + 2 (8, 14, 20, …); got {self.depth}.")
        object.__setattr__(self, "input_size", image_size(self.input_size))

    @property
    def points(self) -> tuple[FusionPoint, ...]:
        """One short-skip point a block."""
        return tuple(
            FusionPoint(
                f"stage{stage + 1}.block{block + 1}",
                "short_skip",
                (self._channels(stage),) * 2,
                self._channels(stage),
                (self._size(stage),) * 2,
                f"stage{stage + 1}",
            )
            for stage in range(STAGES)
            for block in range(self._blocks)
        )

    def cost(self) -> Cost:
        """Return the exact cost of everything but the fusion operators."""
        total = convolution(self.in_channels, self.width, self._positions(0), kernel=9)
        channels = self.width
        for stage in range(STAGES):
            for block in range(self._blocks):
                total += self._block_cost(channels, stage, first=block == 0)
                channels = self._channels(stage)
        return total + batch_norm(channels) + convolution(channels, self.num_classes, 1, bias=True)

    def recipe(self, fusions: Mapping[str, Recipe]) -> Recipe:
        """Return how to construct the network with these operators."""
        return Recipe(
            CifarResNet,
            (),
            {
                "depth": self.depth,
                "width": self.width,
                "num_classes": self.num_classes,
                "in_channels": self.in_channels,
                "fusions": dict(fusions),
            },
        )

    @property
    def _blocks(self) -> int:
        return (self.depth - 2) // 6

    def _channels(self, stage: int) -> int:
        return int(self.width * 2**stage)

    def _size(self, stage: int) -> tuple[int, int]:
        height, width = self.input_size
        for _ in range(stage):
            height, width = (height + 1) // 2, (width + 1) // 2
        return height, width

    def _positions(self, stage: int) -> int:
        height, width = self._size(stage)
        return height * width

    def _block_cost(self, in_channels: int, stage: int, *, first: bool) -> Cost:
        channels, positions = self._channels(stage), self._positions(stage)
        total = batch_norm(in_channels) + convolution(in_channels, channels, positions, kernel=9)
        total += batch_norm(channels) + convolution(channels, channels, positions, kernel=9)
        if first and stage > 0:
            total += convolution(in_channels, channels, positions)
        return total
