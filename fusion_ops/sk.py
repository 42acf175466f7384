"""`sk`: selective-kernel fusion, a softmax over the inputs for each channel, from their global context.

Li et al., "Selective Kernel Networks", CVPR 2019, arXiv 1903.06586. Here its weights sum to the number of
inputs, so that equal weights are the sum (`scale="paper"`: to 1), it also trains with batch size 1, and
it fuses feature maps from anywhere, not only the branches of a selective-kernel convolution.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from torch import Tensor, nn

from fusion_ops.align import convolution_class
from fusion_ops.cost import Cost, batch_norm, convolution
from fusion_ops.mixing import selected, softmax_sum, softmax_weights, total
from fusion_ops.norm import GlobalAverage, batch_norm_class
from fusion_ops.operator import FusionOperator, register
from fusion_ops.settings import weights_sum

__all__ = ["SK"]

_LEAST_WIDTH = 32


@register("sk")
class SK(FusionOperator):
    """Selects between inputs by channel: `N·Σ_i p_i x_i`, `p = softmax_i(A_i z)`.

    `z = ReLU(BN(W GAP(Σ_i x_i)))`, W: C → `max(C // r, 32)`; W and A_i are 1×1 convolutions with bias.
    `(B, C, *size), … -> (B, C, *size)`. The mean of a sum is the sum of the means, so the sum itself is
    never written to memory.

    Args:
        channels: C.
        r: Channel reduction ratio.
        inputs: N.
        dims: Spatial dimensions: 1, 2 or 3.
        init: `default`, or `sum`: all `A_i` start at 0, so it computes exactly the sum.
        scale: `inputs`, or `paper` for the paper's form without the factor N.

    Raises:
        SpecError: An argument is out of its range, or the inputs cannot be fused.
    """

    formula = "2p·x + 2(1−p)·y,  p = softmax over inputs, per channel, from GAP(x + y)"
    source = "Li et al. 2019, arXiv 1903.06586"
    reduces = True
    options: ClassVar = {"scale": ("inputs", "paper")}

    def __init__(
        self,
        channels: int,
        r: int = 16,
        *,
        inputs: int = 2,
        dims: int = 2,
        init: str = "default",
        scale: str = "inputs",
    ) -> None:
        super().__init__(channels, inputs=inputs, dims=dims, init=init)
        self.weights_sum = weights_sum(scale, inputs)
        conv, width = convolution_class(dims), self.width(channels, r)
        self.pool = GlobalAverage()
        self.squeeze = nn.Sequential(conv(channels, width, 1), batch_norm_class(dims)(width), nn.ReLU(inplace=True))
        self.select = conv(width, inputs * channels, 1)
        if init == "sum":
            for parameter in self.select.parameters():
                nn.init.zeros_(parameter)

    def fuse(self, *features: Tensor) -> Tensor:
        """Weigh N maps of one shape."""
        return softmax_sum(features, self._logits(features), self.weights_sum)

    def input_weights(self, *features: Tensor) -> tuple[Tensor, ...]:
        """Return a weight for every channel of every input."""
        return softmax_weights(self._logits(features), self.weights_sum)

    def _logits(self, features: Sequence[Tensor]) -> Tensor | Sequence[Tensor]:
        """Return the logits of all inputs, as `softmax_sum` takes them."""
        return selected(self.select, self.squeeze(total([self.pool(feature) for feature in features])), self.inputs)

    @classmethod
    def width(cls, channels: int, r: int) -> int:
        """Return the hidden width `max(C // r, L)`, with L = 32 as in the paper."""
        return max(super().width(channels, r), _LEAST_WIDTH)

    @classmethod
    def cost(cls, channels: int, inputs: int, positions: int, *, r: int = 16, **_settings: Any) -> Cost:
        """Return the exact cost; it does not depend on the number of positions."""
        width = cls.width(channels, r)
        squeeze = convolution(channels, width, 1, bias=True) + batch_norm(width)
        return squeeze + convolution(width, inputs * channels, 1, bias=True)
