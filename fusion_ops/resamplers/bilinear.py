"""`bilinear`: every position takes the mean of the nearest ones of the smaller map, weighted by closeness."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from fusion_ops.align import interpolated
from fusion_ops.cost import Cost
from fusion_ops.resamplers.resampler import Resampler, register_resampler

__all__ = ["Bilinear"]


@register_resampler("bilinear")
class Bilinear(Resampler):
    """Interpolates linearly in every direction; corners are not aligned, what lies beyond an edge is the edge.

    `(B, C, *size), size' -> (B, C, *size')`, at any ratio, in 1 to 3 spatial dimensions. No parameters.
    """

    formula = "y[i] = (1 − t)·x[j] + t·x[j + 1],  j + t = (i + ½)·h / H − ½"
    any_dims = True

    def forward(self, x: Tensor, size: Sequence[int]) -> Tensor:
        """Return the map at another size."""
        return interpolated(x, size)

    @classmethod
    def cost(cls, channels: int, factor: int, positions: int) -> Cost:
        """Return nothing: element-wise work is not counted."""
        return Cost()
