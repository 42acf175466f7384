"""`dysample`: every position takes the bilinear value of the smaller map at a place that is learned from the content.

Liu et al., "Learning to Upsample by Learning to Sample" (ICCV 2023), arXiv 2308.15085, in the form with linear offsets,
then shuffled ("LP"), a static scope of 0.25, and 4 groups. Parameters have the names of the published code. Apart from
it: offsets start at 0 instead of near 0, so that the start is exactly `bilinear` where H = f·h; and where 4 does not
divide the channels, there are 2 groups, or one.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from fusion_ops.cost import Cost, convolution
from fusion_ops.resamplers.resampler import FactorResampler, register_resampler

__all__ = ["DySample"]

GROUPS = 4
SCOPE = 0.25


@register_resampler("dysample")
class DySample(FactorResampler):
    """Samples where learned offsets point: `y[i] = x((i + ½)/f − ½ + o[i])`, `o = shuffle(0.25·(W x + b))`.

    W is a 1×1 convolution to 2 g f² channels, an offset for each of g groups of channels; between positions and beyond
    edges values are those of `bilinear`. `(B, C, h, w), (H, W) -> (B, C, H, W)`. `2gf²(C + 1)` parameters. Starts
    exactly as `bilinear` where H = f·h.

    Args:
        channels: C.
        factor: f.

    Raises:
        SpecError: An argument is out of its range, or a map is not of the sizes that f relates.
    """

    formula = "y[i] = x((i + ½)/f − ½ + o[i]),  o = shuffle(0.25·W x)"
    init_pos: Tensor

    def __init__(self, channels: int, factor: int) -> None:
        super().__init__(channels, factor)
        self.groups = math.gcd(channels, GROUPS)
        self.offset = nn.Conv2d(channels, 2 * self.groups * factor**2, 1)
        for parameter in self.offset.parameters():
            nn.init.zeros_(parameter)
        self.register_buffer("init_pos", _starts(factor, self.groups))

    def enlarge(self, x: Tensor) -> Tensor:
        """Return the map f times as high and as wide."""
        grid = self._places(x).permute(0, 2, 3, 4, 1).flatten(0, 1)
        dtype = torch.promote_types(x.dtype, grid.dtype)  # half precision cannot tell neighbouring places apart
        parts = torch.unflatten(x, 1, (self.groups, -1)).flatten(0, 1).to(dtype)
        sampled = functional.grid_sample(parts, grid.to(dtype), padding_mode="border", align_corners=False)
        return torch.unflatten(sampled, 0, (-1, self.groups)).flatten(1, 2).to(x.dtype)

    def _places(self, x: Tensor) -> Tensor:
        """Return where each position is sampled, from −1 to 1: `(B, 2, g, H, W)`, x before y."""
        height, width = x.shape[2:]
        kind: Any = {"device": x.device, "dtype": torch.promote_types(x.dtype, torch.float32)}
        rows, columns = torch.arange(height, **kind)[:, None] + 0.5, torch.arange(width, **kind) + 0.5
        across, down = (self.offset(x) * SCOPE + self.init_pos).unflatten(1, (2, -1)).unbind(1)
        places = torch.stack([(columns + across) * 2 / width - 1, (rows + down) * 2 / height - 1], dim=1)
        shuffled = functional.pixel_shuffle(places.flatten(1, 2), self.factor)
        return torch.unflatten(shuffled, 1, (2, self.groups))

    @classmethod
    def cost(cls, channels: int, factor: int, positions: int) -> Cost:
        """Return the exact cost of the convolution; sampling is element-wise work."""
        return convolution(channels, 2 * math.gcd(channels, GROUPS) * factor**2, positions, bias=True)


def _starts(factor: int, groups: int) -> Tensor:
    """Return where f × f positions lie in theirs of the smaller map, x, then y, for each group: `(1, 2gf², 1, 1)`."""
    line = (torch.arange(factor) + 0.5) / factor - 0.5
    columns, rows = line.expand(factor, factor), line[:, None].expand(factor, factor)
    return torch.stack([columns, rows])[:, None].expand(2, groups, factor, factor).reshape(1, -1, 1, 1).clone()
