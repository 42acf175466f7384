"""`softmax`: learned weights for each channel, a softmax over the inputs, whatever the image.

After the softmax-based fusion of Tan et al., "EfficientDet", CVPR 2020, arXiv 1911.09070, which has one weight an
input and weights that sum to 1 (`scale="paper"`). Here every channel has its own, and they sum to the number of
inputs, so that equal weights are the sum.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from fusion_ops.cost import Cost
from fusion_ops.mixing import softmax_sum, softmax_weights
from fusion_ops.operator import FusionOperator, register
from fusion_ops.settings import weights_sum

__all__ = ["SoftmaxSum"]


@register("softmax")
class SoftmaxSum(FusionOperator):
    """Shares out every channel between the inputs: `N·Σ_i p_i·x_i`, `p = softmax_i(a_i)`, `a_i` of C numbers.

    `(B, C, *size), … -> (B, C, *size)`. NC parameters, which start at 0: exactly the sum.

    Args:
        channels: C.
        inputs: N.
        dims: Spatial dimensions: 1, 2 or 3.
        init: `default` or `sum`; the same here, for equal weights are the sum.
        scale: `inputs`, or `paper` for the published form without the factor N.

    Raises:
        SpecError: An argument is out of its range, or the inputs cannot be fused.
    """

    formula = "2p·x + 2(1−p)·y,  p = softmax over inputs of learned numbers, per channel"
    source = "after EfficientDet, Tan et al. 2020, arXiv 1911.09070"
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
        self.logits = nn.Parameter(torch.zeros(inputs, channels))

    def fuse(self, *features: Tensor) -> Tensor:
        """Weigh N maps of one shape."""
        return softmax_sum(features, self._by_channel(features[0].ndim), self.weights_sum)

    def input_weights(self, *features: Tensor) -> tuple[Tensor, ...]:
        """Return a weight for every channel of every input."""
        return softmax_weights(self._by_channel(features[0].ndim), self.weights_sum)

    def _by_channel(self, ndim: int) -> tuple[Tensor, ...]:
        """Return the logits of each input, to be broadcast over maps of `ndim` dimensions."""
        return self.logits.view(self.inputs, 1, self.channels, *[1] * (ndim - 2)).unbind()

    @classmethod
    def cost(cls, channels: int, inputs: int, positions: int, **_settings: Any) -> Cost:
        """Return the exact cost: NC parameters; element-wise work is not counted."""
        return Cost(inputs * channels, 0)
