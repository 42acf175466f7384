"""`pixelshuffle`: a 1×1 convolution to f² C channels, whose values become the f × f positions of C channels.

Shi et al., "Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel Convolutional Neural
Network" (CVPR 2016), arXiv 1609.05158, there with a larger kernel. All f² parts start as the identity, so that the
start is `nearest`, without the checkerboard of a random one (Aitken et al., arXiv 1707.02937).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from fusion_ops.cost import Cost, convolution
from fusion_ops.resamplers.resampler import FactorResampler, register_resampler

__all__ = ["PixelShuffle"]


@register_resampler("pixelshuffle")
class PixelShuffle(FactorResampler):
    """Makes f × f positions of f² channels: `shuffle(W x + b)`, W a 1×1 convolution to f² C channels.

    `(B, C, h, w), (H, W) -> (B, C, H, W)`. `f²C² + f²C` parameters. Starts exactly as `nearest`.

    Args:
        channels: C.
        factor: f.

    Raises:
        SpecError: An argument is out of its range, or a map is not of the sizes that f relates.
    """

    formula = "shuffle(W x),  W: C → f²C"

    def __init__(self, channels: int, factor: int) -> None:
        super().__init__(channels, factor)
        self.expand = nn.Conv2d(channels, factor**2 * channels, 1)
        self.expand.weight = nn.Parameter(torch.eye(channels).repeat_interleave(factor**2, 0)[:, :, None, None])
        self.expand.bias = nn.Parameter(torch.zeros(factor**2 * channels))

    def enlarge(self, x: Tensor) -> Tensor:
        """Return the map f times as high and as wide."""
        return functional.pixel_shuffle(self.expand(x), self.factor)

    @classmethod
    def cost(cls, channels: int, factor: int, positions: int) -> Cost:
        """Return the exact cost of the convolution."""
        return convolution(channels, factor**2 * channels, positions, bias=True)
