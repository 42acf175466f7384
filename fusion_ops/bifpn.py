"""`bifpn`: one learned weight for each input, normalised without a softmax.

The fast normalised fusion of Tan et al., "EfficientDet", CVPR 2020, arXiv 1911.09070. There the sum of the
weights is `ε + Σ_j ReLU(w_j)` and the weights sum to 1 (`scale="paper"`); here it is at least ε and they sum to
the number of inputs, so that equal weights are exactly the sum.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from fusion_ops.mixing import portioned_sum
from fusion_ops.operator import FusionOperator, register
from fusion_ops.settings import one_of

__all__ = ["BiFPN"]

_LEAST = 1e-4


@register("bifpn")
class BiFPN(FusionOperator):
    """Weighs whole inputs: `N·Σ_i ReLU(w_i)·x_i / max(ε, Σ_j ReLU(w_j))`, ε = 10⁻⁴.

    `(B, C, *size), … -> (B, C, *size)`. N parameters `w_i`, which start at 1.

    Args:
        channels: C.
        inputs: N.
        dims: Spatial dimensions: 1, 2 or 3.
        init: `default` or `sum`; the same here, for equal weights are the sum.
        scale: `inputs`, or `paper` for `Σ_i ReLU(w_i)·x_i / (ε + Σ_j ReLU(w_j))`.

    Raises:
        SpecError: An argument is out of its range, or the inputs cannot be fused.
    """

    formula = "2·(ReLU(w₁)·x + ReLU(w₂)·y) / max(ε, ReLU(w₁) + ReLU(w₂))"
    source = "EfficientDet, Tan et al. 2020, arXiv 1911.09070"
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
        self.scale = one_of("scale", scale, ("inputs", "paper"))
        self.weight = nn.Parameter(torch.ones(inputs))

    def fuse(self, *features: Tensor) -> Tensor:
        """Weigh N maps of one shape."""
        return portioned_sum(features, self._portions())

    def input_weights(self, *_features: Tensor) -> tuple[Tensor, ...]:
        """Return a weight for every input, a number."""
        return self._portions()

    def _portions(self) -> tuple[Tensor, ...]:
        """Return the normalised weights."""
        weights = torch.relu(self.weight)
        if self.scale == "paper":
            return (weights / (_LEAST + weights.sum())).unbind()
        return (self.inputs * weights / weights.sum().clamp(min=_LEAST)).unbind()
