"""`max`: the element-wise maximum, mixed with the sum by one learned number.

Goodfellow et al., "Maxout Networks", arXiv 1302.4389, take the maximum of several maps; pose networks and view pooling
fuse so as well. Here a learned number says how much of it there is beside the sum. It starts at 1, the maximum alone,
or at 0 (`init="sum"`), where it still gets a gradient. The maximum counts N times, so that one input given N times
comes out as their sum; `scale="paper"` is the maximum itself, mixed with the mean.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from fusion_ops.cost import Cost
from fusion_ops.mixing import plus_weighted, total
from fusion_ops.operator import FusionOperator, register
from fusion_ops.settings import weights_sum

__all__ = ["Maximum"]


@register("max")
class Maximum(FusionOperator):
    """Takes the largest value: `(1−m)·Σ_i x_i + m·N·max_i x_i`, m learned; for two inputs `x + y + m·|x − y|`.

    `(B, C, *size), … -> (B, C, *size)`. One parameter, m.

    Args:
        channels: C.
        inputs: N.
        dims: Spatial dimensions: 1, 2 or 3.
        init: `default`: m starts at 1, so it computes N times the maximum; `sum`: at 0, exactly the sum.
        scale: `inputs`, or `paper` for an Nth of it: the maximum itself, and the mean.

    Raises:
        SpecError: An argument is out of its range, or the inputs cannot be fused.
    """

    formula = "(1−m)·(x + y) + 2m·max(x, y),  m learned"
    source = "Maxout, Goodfellow et al. 2013, arXiv 1302.4389"
    options: ClassVar = {"scale": ("inputs", "paper")}

    def __init__(
        self,
        channels: int,
        *,
        inputs: int = 2,
        dims: int = 2,
        init: str = "default",
        scale: str = "inputs",
    ) -> None:
        super().__init__(channels, inputs=inputs, dims=dims, init=init)
        self.weights_sum = weights_sum(scale, inputs)
        self.mix = nn.Parameter(torch.full((1,), 0.0 if init == "sum" else 1.0))

    def fuse(self, *features: Tensor) -> Tensor:
        """Take N times the maximum of N maps of one shape in place of a part of their sum."""
        summed = total(features)
        excess = (features[0] - features[1]).abs() if self.inputs == 2 else _peak(features) * self.inputs - summed
        fused = plus_weighted(summed, [excess], [self.mix])
        return fused if self.weights_sum == self.inputs else fused * (1 / self.inputs)

    def input_weights(self, *features: Tensor) -> tuple[Tensor, ...]:
        """Return a weight for every value of every input; equal largest values share theirs."""
        peak = _peak(features)
        largest = [(feature == peak).to(peak.dtype) for feature in features]
        count = total(largest)
        share = self.weights_sum / self.inputs
        return tuple((1 + self.mix * (self.inputs * one / count - 1)) * share for one in largest)

    @classmethod
    def cost(cls, channels: int, inputs: int, positions: int, **_settings: Any) -> Cost:
        """Return the exact cost: one parameter; element-wise work is not counted."""
        return Cost(1, 0)


def _peak(features: tuple[Tensor, ...]) -> Tensor:
    """Return `max_i x_i`."""
    peak = features[0]
    for feature in features[1:]:
        peak = torch.maximum(peak, feature)
    return peak
