"""Feature pyramid networks for semantic segmentation: every lateral merge is a long-skip fusion point.

Lin et al., "Feature Pyramid Networks for Object Detection" (CVPR 2017), arXiv 1612.03144, on a residual encoder,
with the finest map of the pyramid classified pixel by pixel, as "Attentional Feature Fusion" (arXiv 2009.14082)
uses it.
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
from spaces.host import HOSTS, check_whole
from spaces.point import FusionPoint
from spaces.segmentation import SegmentationNetwork
from spaces.width import doubled

__all__ = ["FeaturePyramid", "Fpn"]


class FeaturePyramid(nn.Module):
    """An encoder and a pyramid: `(B, in_channels, H, W) -> (B, num_classes, H, W)` logits.

    From the deepest level to the finest: `p_k = fusion(U(p_{k+1}), 1×1 convolution of the encoder's map)`,
    U the resampler, bilinear as published. The finest passes a 3×3 convolution, BN and ReLU before it is classified.

    Args:
        width: Channels of the encoder's finest level; doubled with every level, rounded.
        levels: Levels of the encoder.
        blocks: Residual blocks of each level.
        stem_stride: Stride of the first convolution.
        num_classes: Classes.
        in_channels: Channels of the images.
        pyramid: Channels of the pyramid.
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
        pyramid: int,
        fusions: Mapping[str, nn.Module],
    ) -> None:
        super().__init__()
        self.encoder = Encoder(in_channels, width, levels, blocks, stem_stride, fusions)
        self.laterals = nn.ModuleList(
            nn.Conv2d(doubled(width, level), pyramid, 1, bias=False) for level in range(levels)
        )
        self.merges = nn.ModuleList(fusions[f"merge{level + 1}"] for level in range(levels - 1))
        self.resamplers = nn.ModuleList(fusions[f"merge{level + 1}.resampler"] for level in range(levels - 1))
        self.smooth = nn.Conv2d(pyramid, pyramid, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(pyramid)
        self.head = nn.Conv2d(pyramid, num_classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits of every pixel."""
        laterals = [lateral(level) for lateral, level in zip(self.laterals, self.encoder(x), strict=True)]
        merged = laterals[-1]
        steps = zip(self.resamplers, self.merges, laterals[:-1], strict=True)
        for resample, merge, lateral in reversed(list(steps)):
            merged = merge(resample(merged, lateral.shape[2:]), lateral)
        logits: Tensor = self.head(torch.relu(self.norm(self.smooth(merged))))
        return functional.interpolate(logits, size=x.shape[2:], mode="bilinear", align_corners=False)


@HOSTS.register("fpn")
@dataclass(frozen=True, slots=True)
class Fpn(SegmentationNetwork):
    """A feature pyramid for semantic segmentation; a merge fuses the upsampled deeper map and the lateral one.

    Args:
        width: Channels of the encoder's finest level; doubled with every level, so that parts of a channel count in
            deeper ones.
        levels: Levels of the encoder, at least 2; there is a merge between each two.
        blocks: Residual blocks of each level.
        points: Where fusion is chosen: at the merges (`long`), in the encoder's residual blocks (`short`), or
            `both`. Elsewhere it is the sum.
        stem_stride: Stride of the first convolution; the logits are enlarged by it at the end.
        num_classes: Classes, the background included.
        in_channels: Channels of the images.
        input_size: Height and width of the images in pixels.
        pyramid: Channels of the pyramid.

    Raises:
        SpecError: A setting has an impossible value.
    """

    pyramid: int = 32

    module: ClassVar[type[nn.Module]] = FeaturePyramid
    published: ClassVar[str] = "sum"

    def __post_init__(self) -> None:
        """Check the settings."""
        super(Fpn, self).__post_init__()
        check_whole(pyramid=self.pyramid)

    def widths(self) -> dict[str, int]:
        """Return the width of the encoder and that of the pyramid."""
        return {**super(Fpn, self).widths(), "pyramid": 1}

    def merges(self) -> tuple[FusionPoint, ...]:
        """Return the long-skip points, the deepest first."""
        both = (self.pyramid, self.pyramid)
        return tuple(
            FusionPoint(
                f"merge{level + 1}",
                "long_skip",
                both,
                self.pyramid,
                (self.encoder.size(level),) * 2,
                "merges",
                self.encoder.before(level),
            )
            for level in reversed(range(self.levels - 1))
        )

    def decoder_cost(self) -> Cost:
        """Return the exact cost of the decoder but for the fusion operators."""
        encoder, finest = self.encoder, self.encoder.positions(0)
        total = convolution(self.pyramid, self.pyramid, finest, kernel=9) + batch_norm(self.pyramid)
        total += convolution(self.pyramid, self.num_classes, finest, bias=True)
        for level in range(self.levels):
            total += convolution(encoder.channels(level), self.pyramid, encoder.positions(level))
        return total
