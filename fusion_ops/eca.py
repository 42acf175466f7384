"""`eca`: weights for every channel from its neighbours' global context, with a handful of parameters.

After Wang et al., "ECA-Net: Efficient Channel Attention", CVPR 2020, arXiv 1910.03151, where one map is weighed
by `σ(conv1d_k(GAP(x)))`. Here that weight is shared out between the inputs, as in AFF. Unlike there the
convolution has a bias, because a weight between inputs must be able to prefer one of them where the pooled
map is 0. More than two inputs can be fused.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional

from fusion_ops.mixing import softmax_sum, softmax_weights, total
from fusion_ops.norm import GlobalAverage
from fusion_ops.operator import FusionOperator, register
from fusion_ops.settings import weights_sum

__all__ = ["ECA"]


@register("eca")
class ECA(FusionOperator):
    """Efficient channel attention between inputs: `2w·x + 2(1−w)·y`, `w = σ(conv1d_k(GAP(x + y)))`.

    The convolution runs along the channels with k taps, the whole part of `(log₂ C + 1) / 2`, plus 1 where that is
    even, 0 beyond the ends, and a bias. For N inputs it has N − 1 outputs, the logits of the first N − 1 inputs; the
    last one's is 0, and the inputs are weighted by N times the softmax over them. `(B, C, *size), … -> (B, C, *size)`.

    Args:
        channels: C.
        inputs: N.
        dims: Spatial dimensions: 1, 2 or 3.
        init: `default`, or `sum`: the convolution starts at 0, so it computes exactly the sum.
        scale: `inputs`: the weights sum to N; `paper`: to 1.

    Raises:
        SpecError: An argument is out of its range, or the inputs cannot be fused.
    """

    formula = "2w·x + 2(1−w)·y,  w = σ(conv1d(GAP(x + y))) along the channels"
    source = "Wang et al. 2020, arXiv 1910.03151"
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
        taps = neighbours(channels)
        self.pool = GlobalAverage()
        self.mix = nn.Conv1d(1, inputs - 1, taps, padding=taps // 2)
        if init == "sum":
            for parameter in self.mix.parameters():
                nn.init.zeros_(parameter)

    def fuse(self, *features: Tensor) -> Tensor:
        """Weigh N maps of one shape."""
        return softmax_sum(features, self._logits(features), self.weights_sum)

    def input_weights(self, *features: Tensor) -> tuple[Tensor, ...]:
        """Return a weight for every channel of every input."""
        return softmax_weights(self._logits(features), self.weights_sum)

    def _logits(self, features: Sequence[Tensor]) -> Tensor:
        """Return the logits of all inputs, as `softmax_sum` takes them."""
        pooled = total([self.pool(feature) for feature in features])
        logits = functional.pad(self.mix(pooled.flatten(1).unsqueeze(1)), (0, 0, 0, 1))
        return logits.reshape(*logits.shape, *pooled.shape[2:])


def neighbours(channels: int) -> int:
    """Return how many neighbouring channels decide together: the whole part of `(log₂ C + 1) / 2`, 1 more if even."""
    taps = int((math.log2(channels) + 1) / 2)
    return taps if taps % 2 else taps + 1
