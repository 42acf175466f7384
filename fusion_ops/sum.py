"""`sum`: element-wise addition, what almost every network does where feature maps meet."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from fusion_ops.cost import Cost
from fusion_ops.mixing import total
from fusion_ops.operator import FusionOperator, register

__all__ = ["Sum"]


@register("sum")
class Sum(FusionOperator):
    """Adds the inputs: `x + y`, for N inputs `Σ_i x_i`.

    `(B, C, *size), … -> (B, C, *size)`. No parameters.

    Args:
        channels: C.
        inputs: N.
        dims: Spatial dimensions: 1, 2 or 3.
        init: `default` or `sum`; the same here.

    Raises:
        SpecError: An argument is out of its range, or the inputs cannot be fused.
    """

    formula = "x + y"
    source = "He et al. 2015, arXiv 1512.03385"

    def __init__(self, channels: int, *, inputs: int = 2, dims: int = 2, init: str = "default") -> None:
        super().__init__(channels, inputs=inputs, dims=dims, init=init)

    def fuse(self, *features: Tensor) -> Tensor:
        """Add N maps of one shape."""
        return total(features)

    @classmethod
    def cost(cls, channels: int, inputs: int, positions: int, **_settings: Any) -> Cost:
        """Return nothing: element-wise work is not counted."""
        return Cost()
