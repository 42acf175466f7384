"""`split_attention`: a softmax over the inputs for each channel, from their global context in groups.

Zhang et al., "ResNeSt: Split-Attention Networks", arXiv 2004.08955. The inputs are what the paper calls the
splits of a cardinal group (radix N). There the hidden width is `max(C·N/4, 32)`; here r gives it, without a
least width. The weights sum to the number of inputs, so that equal weights are the sum (`scale="paper"`: to
1); it trains with batch size 1, and fuses feature maps from anywhere, not only the splits of one convolution.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor, nn

from fusion_ops.align import convolution_class
from fusion_ops.errors import SpecError
from fusion_ops.mixing import selected, softmax_sum, softmax_weights, total
from fusion_ops.norm import GlobalAverage, batch_norm_class
from fusion_ops.operator import FusionOperator, register
from fusion_ops.settings import reduced, weights_sum

__all__ = ["SplitAttention"]


@register("split_attention")
class SplitAttention(FusionOperator):
    """Selects between inputs by channel: `N·Σ_i p_i x_i`, `p = softmax_i(A_i ReLU(BN(W GAP(Σ_i x_i))))`.

    W: C → d and A_i: d → C are 1×1 convolutions with bias, d = `N·max(1, C // r)`. With `groups` K, every K-th
    part of the channels has a W and A_i of its own, of `N·max(1, C/K // r)` hidden channels.
    `(B, C, *size), … -> (B, C, *size)`.

    Args:
        channels: C.
        r: Channel reduction ratio.
        inputs: N, the paper's radix.
        dims: Spatial dimensions: 1, 2 or 3.
        init: `default`, or `sum`: all `A_i` start at 0, so it computes exactly the sum.
        scale: `inputs`, or `paper` for the paper's form without the factor N.
        groups: K, the paper's cardinality; it divides C.

    Raises:
        SpecError: An argument is out of its range, or the inputs cannot be fused.
    """

    formula = "2p·x + 2(1−p)·y,  p = softmax over inputs of A ReLU(BN(W GAP(x + y))), W and A grouped"
    source = "ResNeSt, Zhang et al. 2020, arXiv 2004.08955"
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
        groups: int = 1,
    ) -> None:
        super().__init__(channels, inputs=inputs, dims=dims, init=init)
        self.weights_sum = weights_sum(scale, inputs)
        self.groups = groups
        conv, width = convolution_class(dims), _hidden(channels, r, inputs, groups)
        self.pool = GlobalAverage()
        self.squeeze = nn.Sequential(
            conv(channels, width, 1, groups=groups), batch_norm_class(dims)(width), nn.ReLU(inplace=True)
        )
        self.select = conv(width, inputs * channels, 1, groups=groups)
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


def _hidden(channels: int, r: int, inputs: int, groups: int) -> int:
    if isinstance(groups, bool) or not isinstance(groups, int) or groups < 1 or channels % groups:
        raise SpecError(f"`groups` must divide `channels`; got channels={channels}, groups={groups!r}.")
    return groups * inputs * reduced(channels // groups, r)
