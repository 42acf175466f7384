"""U-Nets for semantic segmentation: every skip connection is a long-skip fusion point, published as a concatenation.

Ronneberger et al., "U-Net: Convolutional Networks for Biomedical Image Segmentation" (MICCAI 2015), arXiv
1505.04597, with a residual encoder, padded convolutions with BN, and bilinear upsampling.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from fusion_ops import Cost
from fusion_ops.cost import batch_norm, convolution
from spaces.encoder import Encoder
from spaces.host import HOSTS
from spaces.point import FusionPoint
from spaces.segmentation import SegmentationNetwork
from spaces.width import doubled

__all__ = ["UNet", "UNetModule", "UpBlock"]


class UpBlock(nn.Module):
    """A step of the decoder: `F(fusion(U(deeper), skip))`, F is 3×3 conv-BN-ReLU twice.

    U is a 1×1 convolution to C channels and the resampler, bilinear by default; the fusion gives 2 C channels, as the
    published concatenation does. `(B, D, h, w), (B, C, H, W) -> (B, C, H, W)`.

    Args:
        deeper: D, 2 C but for rounding.
        channels: C.
        fusion: Operator that takes the upsampled deeper map and the encoder's map.
        resampler: Brings the deeper map to the size of the encoder's.
    """

    def __init__(self, deeper: int, channels: int, fusion: nn.Module, resampler: nn.Module) -> None:
        super().__init__()
        self.up = nn.Conv2d(deeper, channels, 1, bias=False)
        self.resampler = resampler
        self.fusion = fusion
        self.conv1 = nn.Conv2d(2 * channels, channels, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)

    def forward(self, deeper: Tensor, skip: Tensor) -> Tensor:
        """Return the decoder's map at the skip connection's size."""
        # At the small size the 1×1 convolution costs a quarter; it commutes with bilinear interpolation.
        deeper = self.resampler(self.up(deeper), skip.shape[2:])
        x = torch.relu(self.norm1(self.conv1(self.fusion(deeper, skip))))
        return torch.relu(self.norm2(self.conv2(x)))


class UNetModule(nn.Module):
    """An encoder and a decoder with skip connections: `(B, in_channels, H, W) -> (B, num_classes, H, W)` logits.

    Args:
        width: Channels of the encoder's finest level; doubled with every level, rounded.
        levels: Levels of the encoder.
        blocks: Residual blocks of each level.
        stem_stride: Stride of the first convolution.
        num_classes: Classes.
        in_channels: Channels of the images.
        fusions: Operators by name: `encoder1.block1`, …, and `merge1` (the finest), `merge2`, …, each merge with its
            resampler, `merge1.resampler`, ….
    """

    def __init__(
        self,
        width: float,
        levels: int,
        blocks: int,
        stem_stride: int,
        num_classes: int,
        in_channels: int,
        fusions: Mapping[str, nn.Module],
    ) -> None:
        super().__init__()
        self.encoder = Encoder(in_channels, width, levels, blocks, stem_stride, fusions)
        self.decoder = nn.ModuleList(
            UpBlock(
                doubled(width, level + 1),
                doubled(width, level),
                fusions[f"merge{level + 1}"],
                fusions[f"merge{level + 1}.resampler"],
            )
            for level in range(levels - 1)
        )
        self.head = nn.Conv2d(doubled(width, 0), num_classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits of every pixel."""
        maps = self.encoder(x)
        decoded = maps[-1]
        for block, skip in zip(list(self.decoder)[::-1], maps[-2::-1], strict=True):
            decoded = block(decoded, skip)
        logits: Tensor = self.head(decoded)
        return functional.interpolate(logits, size=x.shape[2:], mode="bilinear", align_corners=False)


@HOSTS.register("unet")
@dataclass(frozen=True, slots=True)
class UNet(SegmentationNetwork):
    """A U-Net for semantic segmentation; a merge fuses the upsampled deeper map and the encoder's map.

    A merge has 2 C channels, those of the published concatenation: `concat` is that concatenation, every other
    operator brings both maps to 2 C channels by 1×1 convolutions.

    Args:
        width: Channels of the encoder's finest level; doubled with every level, so that parts of a channel count in
            deeper ones.
        levels: Levels of the encoder, at least 2; there is a merge between each two.
        blocks: Residual blocks of each level.
        points: Where fusion is chosen: at the merges (`long`), in the encoder's residual blocks (`short`), or
            `both`. Elsewhere it is the sum in the encoder and the concatenation at the merges.
        stem_stride: Stride of the first convolution; the logits are enlarged by it at the end.
        num_classes: Classes, the background included.
        in_channels: Channels of the images.
        input_size: Height and width of the images in pixels.

    Raises:
        SpecError: A setting has an impossible value.
    """

    module: ClassVar[type[nn.Module]] = UNetModule
    published: ClassVar[str] = "concat"

    def merges(self) -> tuple[FusionPoint, ...]:
        """Return the long-skip points, the deepest first."""
        encoder = self.encoder
        return tuple(
            FusionPoint(
                f"merge{level + 1}",
                "long_skip",
                (encoder.channels(level),) * 2,
                2 * encoder.channels(level),
                (encoder.size(level),) * 2,
                "merges",
                encoder.before(level),
            )
            for level in reversed(range(self.levels - 1))
        )

    def decoder_cost(self) -> Cost:
        """Return the exact cost of the decoder but for the fusion operators."""
        encoder = self.encoder
        total = convolution(encoder.channels(0), self.num_classes, encoder.positions(0), bias=True)
        for level in range(self.levels - 1):
            channels, positions = encoder.channels(level), encoder.positions(level)
            total += convolution(encoder.channels(level + 1), channels, encoder.positions(level + 1))
            total += convolution(2 * channels, channels, positions, kernel=9) + batch_norm(channels)
            total += convolution(channels, channels, positions, kernel=9) + batch_norm(channels)
        return total
