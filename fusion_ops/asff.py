"""`asff`: a softmax over the inputs at every position, each input asking for its own weight.

Liu et al., "Learning Spatial Fusion for Single-Shot Object Detection", arXiv 1911.09516. The logits are a 1×1
convolution of each input, as in the paper's equations; its code first reduces each input to 16 channels. Here
the weights sum to the number of inputs, so that equal weights are the sum (`scale="paper"`: to 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from fusion_ops.align import convolution_class
from fusion_ops.mixing import softmax_sum, softmax_weights
from fusion_ops.operator import FusionOperator, register
from fusion_ops.settings import weights_sum
from fusion_ops.spelling import is_plain

__all__ = ["ASFF"]


@register("asff")
class ASFF(FusionOperator):
    """Adaptively spatial feature fusion: `N·Σ_i p_i·x_i`, `p = softmax_i(a_i)`, `a_i = A_i x_i`.

    `A_i` is a 1×1 convolution with bias to one channel, so that there is one weight for each input and
    position. `(B, C, *size), … -> (B, C, *size)`.

    Args:
        channels: C.
        inputs: N.
        dims: Spatial dimensions: 1, 2 or 3.
        init: `default`, or `sum`: all `A_i` start at 0, so it computes exactly the sum.
        scale: `inputs`, or `paper` for the paper's form without the factor N.

    Raises:
        SpecError: An argument is out of its range, or the inputs cannot be fused.
    """

    formula = "2p·x + 2(1−p)·y,  p = softmax over inputs, per position, of (A₁ x, A₂ y)"
    source = "Liu et al. 2019, arXiv 1911.09516"
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
        self.ask = nn.ModuleList(convolution_class(dims)(channels, 1, 1) for _ in range(inputs))
        if init == "sum":
            for parameter in self.ask.parameters():
                nn.init.zeros_(parameter)

    def fuse(self, *features: Tensor) -> Tensor:
        """Weigh N maps of one shape."""
        return softmax_sum(features, self._logits(features), self.weights_sum)

    def input_weights(self, *features: Tensor) -> tuple[Tensor, ...]:
        """Return a weight for every input at every position."""
        return softmax_weights(self._logits(features), self.weights_sum)

    def _logits(self, features: Sequence[Tensor]) -> Tensor | Sequence[Tensor]:
        """Return the logits of all inputs, as `softmax_sum` takes them."""
        logits = [ask(feature) for ask, feature in zip(self.ask, features, strict=True)]
        return logits if is_plain() else torch.stack(logits, dim=1)
