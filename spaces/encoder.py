"""The residual encoder of the segmentation networks: one feature map a level, each half the size of the last."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fusion_ops import Cost
from fusion_ops.cost import batch_norm, convolution
from spaces.point import FusionPoint
from spaces.resnet import PreActivationBlock
from spaces.width import doubled

__all__ = ["Encoder", "EncoderGeometry"]


class Encoder(nn.Module):
    """Pre-activation residual blocks: `(B, in_channels, H, W) -> (B, width·2^k, H / s·2^k, W / s·2^k)`, k = 0, 1, ….

    Every map is normalised and activated before it is returned.

    Args:
        in_channels: Channels of the images.
        width: Channels of the first level; doubled with every level, rounded.
        levels: Number of levels.
        blocks: Residual blocks of each level.
        stem_stride: Stride s of the first convolution.
        fusions: Operator of each block by name, `encoder1.block1` first.
    """

    def __init__(
        self,
        in_channels: int,
        width: float,
        levels: int,
        blocks: int,
        stem_stride: int,
        fusions: Mapping[str, nn.Module],
    ) -> None:
        super().__init__()
        channels = doubled(width, 0)
        self.stem = nn.Conv2d(in_channels, channels, 3, stem_stride, padding=1, bias=False)
        self.levels = nn.ModuleList()
        self.norms = nn.ModuleList()
        for level in range(levels):
            members = []
            for block in range(blocks):
                stride = 2 if level > 0 and block == 0 else 1
                fusion = fusions[f"encoder{level + 1}.block{block + 1}"]
                wider = doubled(width, level)
                members.append(PreActivationBlock(channels, wider, stride, fusion))
                channels = wider
            self.levels.append(nn.Sequential(*members))
            self.norms.append(nn.BatchNorm2d(channels))

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return the map of every level, the finest first."""
        x = self.stem(x)
        maps = []
        for level, norm in zip(self.levels, self.norms, strict=True):
            x = level(x)
            maps.append(torch.relu(norm(x)))
        return maps


@dataclass(frozen=True, slots=True)
class EncoderGeometry:
    """Sizes, fusion points and costs of an `Encoder`.

    Args:
        in_channels: Channels of the images.
        input_size: Height and width of the images in pixels.
        width: Channels of the first level.
        levels: Number of levels.
        blocks: Residual blocks of each level.
        stem_stride: Stride of the first convolution.
    """

    in_channels: int
    input_size: tuple[int, int]
    width: float
    levels: int
    blocks: int
    stem_stride: int

    def channels(self, level: int) -> int:
        """Return the channels of a level, from 0."""
        return doubled(self.width, level)

    def size(self, level: int) -> tuple[int, int]:
        """Return height and width of a level, from 0."""
        stride = self.stem_stride * 2**level
        height, width = self.input_size
        return -(-height // stride), -(-width // stride)

    def before(self, level: int) -> tuple[int, int] | None:
        """Return the size of the next deeper level, which is brought to this one's; `None` if they are equal."""
        deeper = self.size(level + 1)
        return None if deeper == self.size(level) else deeper

    def positions(self, level: int) -> int:
        """Return the positions of a level, from 0."""
        height, width = self.size(level)
        return height * width

    def points(self) -> tuple[FusionPoint, ...]:
        """Return a short-skip point for every block."""
        return tuple(
            FusionPoint(
                f"encoder{level + 1}.block{block + 1}",
                "short_skip",
                (self.channels(level),) * 2,
                self.channels(level),
                (self.size(level),) * 2,
                f"encoder{level + 1}",
            )
            for level in range(self.levels)
            for block in range(self.blocks)
        )

    def cost(self) -> Cost:
        """Return the exact cost of everything but the fusion operators."""
        before = self.channels(0)
        total = convolution(self.in_channels, before, self.positions(0), kernel=9)
        for level in range(self.levels):
            channels, positions = self.channels(level), self.positions(level)
            for _ in range(self.blocks):
                total += batch_norm(before) + convolution(before, channels, positions, kernel=9)
                total += batch_norm(channels) + convolution(channels, channels, positions, kernel=9)
                total += convolution(before, channels, positions) if before != channels else Cost()
                before = channels
            total += batch_norm(channels)
        return total
