"""`attnres`: attention over the inputs, at every position, by one learned query.

Kimi Team, "Attention Residuals", arXiv 2603.15031: there a layer of a transformer attends to the outputs of all layers
before it; the inputs are the values, their root mean square norm the keys, and the weights sum to 1 (`scale="paper"`).
Here a fusion point attends to its inputs, and the weights sum to their number, so that equal weights are the sum. The
norm's gain is left out, for the query has one number a channel, too. As there the query starts at 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from fusion_ops.align import convolve
from fusion_ops.cost import Cost, convolution
from fusion_ops.mixing import softmax_sum, softmax_weights
from fusion_ops.norm import inverse_rms
from fusion_ops.operator import FusionOperator, register
from fusion_ops.settings import weights_sum
from fusion_ops.spelling import is_plain

__all__ = ["AttnRes"]


@register("attnres")
class AttnRes(FusionOperator):
    """Attends to the inputs: `N·Σ_i p_i·x_i`, `p = softmax_i(q · norm(x_i))` at every position.

    `norm(v) = v / √(mean_c v_c² + ε)`, ε = 10⁻⁵; q of C numbers, the same for all inputs, which start at 0: exactly the
    sum. `(B, C, *size), … -> (B, C, *size)`. As a norm is one number a position, it is taken after the product with
    q, so that no normalised map is written to memory.

    Args:
        channels: C.
        inputs: N.
        dims: Spatial dimensions: 1, 2 or 3.
        init: `default` or `sum`; the same here, for a query of 0 gives equal weights.
        scale: `inputs`, or `paper` for the published form without the factor N.

    Raises:
        SpecError: An argument is out of its range, or the inputs cannot be fused.
    """

    formula = "2p·x + 2(1−p)·y,  p = softmax over inputs, per position, of (q·norm(x), q·norm(y)),  q learned"
    source = "Kimi Team 2026, arXiv 2603.15031"
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
        self.query = nn.Parameter(torch.zeros(channels))

    def fuse(self, *features: Tensor) -> Tensor:
        """Weigh N maps of one shape."""
        return softmax_sum(features, self._logits(features), self.weights_sum)

    def input_weights(self, *features: Tensor) -> tuple[Tensor, ...]:
        """Return a weight for every input at every position."""
        return softmax_weights(self._logits(features), self.weights_sum)

    def _logits(self, features: Sequence[Tensor]) -> Tensor | Sequence[Tensor]:
        """Return the logits of all inputs, as `softmax_sum` takes them."""
        query = self.query.view(1, -1, *[1] * (features[0].ndim - 2))
        logits = [convolve(feature, query) * inverse_rms(feature) for feature in features]
        return logits if is_plain() else torch.stack(logits, dim=1)

    @classmethod
    def cost(cls, channels: int, inputs: int, positions: int, **_settings: Any) -> Cost:
        """Return the exact cost: C parameters; the product with q at every position of every input."""
        return Cost(channels, inputs * convolution(channels, 1, positions).flops)
