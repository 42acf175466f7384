"""`nearest`: every position takes the value of the nearest one of the smaller map."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional

from fusion_ops.cost import Cost
from fusion_ops.resamplers.resampler import Resampler, register_resampler

__all__ = ["Nearest"]


@register_resampler("nearest")
class Nearest(Resampler):
    """Repeats values: `y[i] = x[⌊i·h / H⌋]` in every direction.

    `(B, C, *size), size' -> (B, C, *size')`, at any ratio. No parameters.
    """

    formula = "y[i] = x[⌊i·h / H⌋]"
    any_dims = True

    def forward(self, x: Tensor, size: Sequence[int]) -> Tensor:
        """Return the map at another size."""
        return functional.interpolate(x, size=tuple(size), mode="nearest")

    @classmethod
    def cost(cls, channels: int, factor: int, positions: int) -> Cost:
        """Return nothing: element-wise work is not counted."""
        return Cost()
