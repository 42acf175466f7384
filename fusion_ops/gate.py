"""`gate`: one gate of low rank that looks at all inputs shares out every channel at every position between them.

The gate of Srivastava et al., "Highway Networks", arXiv 1505.00387, which carries one of two inputs as far as it does
not let through the other, seen from both inputs as in the gated unit of Arevalo et al., "Gated Multimodal Units",
arXiv 1702.01992, and, as there, without biases; between the two matrices are d channels and a ReLU. Published weights
sum to 1 (`scale="paper"`); here they sum to the number of inputs, so that equal weights are the sum.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from fusion_ops.align import convolution_class
from fusion_ops.cost import Cost, convolution
from fusion_ops.mixing import total, total_weights, weighted_mean, weighted_sum
from fusion_ops.operator import FusionOperator, register
from fusion_ops.settings import one_of

__all__ = ["Gate"]


@register("gate")
class Gate(FusionOperator):
    """Gates both ways: `2g·x + 2(1−g)·y`, `g = σ(W₂ ReLU(W₁ [x, y]))`.

    W₁: NC → d and W₂: d → (N − 1)C are 1×1 convolutions without bias, `d = max(1, C // r)`. For N inputs they give the
    logits of the first N − 1, the last one's is 0, and the inputs are weighted by N times the softmax over them.
    `(B, C, *size), … -> (B, C, *size)`. W₁ is kept in parts, one an input, so that no concatenation is written to
    memory.

    Args:
        channels: C.
        r: Channel reduction ratio.
        inputs: N.
        dims: Spatial dimensions: 1, 2 or 3.
        init: `default`, or `sum`: W₂ starts at 0, so it computes exactly the sum.
        scale: `inputs`: the weights sum to N; `paper`: to 1.

    Raises:
        SpecError: An argument is out of its range, or the inputs cannot be fused.
    """

    formula = "2g·x + 2(1−g)·y,  g = σ(W₂ ReLU(W₁ [x, y]))"
    source = "Highway, Srivastava et al. 2015, arXiv 1505.00387; GMU, Arevalo et al. 2017, arXiv 1702.01992"
    reduces = True
    options: ClassVar = {"scale": ("inputs", "paper")}

    def __init__(
        self,
        channels: int,
        r: int = 4,
        *,
        inputs: int = 2,
        dims: int = 2,
        init: str = "default",
        scale: str = "inputs",
    ) -> None:
        super().__init__(channels, inputs=inputs, dims=dims, init=init)
        self.scale = one_of("scale", scale, ("inputs", "paper"))
        conv, width = convolution_class(dims), self.width(channels, r)
        self.look = nn.ModuleList(conv(channels, width, 1, bias=False) for _ in range(inputs))
        self.decide = conv(width, (inputs - 1) * channels, 1, bias=False)
        if init == "sum":
            nn.init.zeros_(self.decide.weight)

    def fuse(self, *features: Tensor) -> Tensor:
        """Weigh N maps of one shape."""
        logits = self._logits(features)
        if self.scale == "paper":
            return weighted_mean(features, logits)
        return weighted_sum(features, logits, total(features))

    def input_weights(self, *features: Tensor) -> tuple[Tensor, ...]:
        """Return a weight for every channel of every input at every position."""
        return total_weights(self._logits(features), self.inputs, 1 if self.scale == "paper" else self.inputs)

    def _logits(self, features: tuple[Tensor, ...]) -> Tensor:
        """Return the logits of all inputs but the last."""
        seen = total([look(feature) for look, feature in zip(self.look, features, strict=True)])
        logits: Tensor = self.decide(torch.relu(seen))
        return logits

    @classmethod
    def cost(cls, channels: int, inputs: int, positions: int, *, r: int = 4, **_settings: Any) -> Cost:
        """Return the exact cost: `(2N − 1)Cd` parameters, `3Cd` for two inputs, each multiplied at every position."""
        width = cls.width(channels, r)
        seen = convolution(inputs * channels, width, positions)
        return seen + convolution(width, (inputs - 1) * channels, positions)
