"""`scaled_sum`: a learned number for each channel of each input, whatever the image.

What attention comes to where its weights depend on neither image nor position: it is to `sum` what the scale of a batch
normalisation is to none. No paper claims it; as LayerScale it stands on one branch of a residual connection (Touvron et
al., "Going deeper with Image Transformers", arXiv 2103.17239), there with initial values near 0.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from fusion_ops.cost import Cost
from fusion_ops.mixing import portioned_sum
from fusion_ops.operator import FusionOperator, register

__all__ = ["ScaledSum"]


@register("scaled_sum")
class ScaledSum(FusionOperator):
    """Weighs whole channels by learned numbers: `Σ_i c_i ⊙ x_i`, `c_i` of C numbers.

    `(B, C, *size), … -> (B, C, *size)`. NC parameters, which start at 1: exactly the sum.

    Args:
        channels: C.
        inputs: N.
        dims: Spatial dimensions: 1, 2 or 3.
        init: `default` or `sum`; the same here.

    Raises:
        SpecError: An argument is out of its range, or the inputs cannot be fused.
    """

    formula = "c₁·x + c₂·y,  c learned, per channel"
    source = "after LayerScale, Touvron et al. 2021, arXiv 2103.17239"

    def __init__(self, channels: int, *, inputs: int = 2, dims: int = 2, init: str = "default") -> None:
        super().__init__(channels, inputs=inputs, dims=dims, init=init)
        self.scales = nn.Parameter(torch.ones(inputs, channels))

    def fuse(self, *features: Tensor) -> Tensor:
        """Weigh N maps of one shape."""
        return portioned_sum(features, self._by_channel(features[0].ndim))

    def input_weights(self, *features: Tensor) -> tuple[Tensor, ...]:
        """Return a weight for every channel of every input."""
        return self._by_channel(features[0].ndim)

    def _by_channel(self, ndim: int) -> tuple[Tensor, ...]:
        """Return the scales of each input, to be multiplied with maps of `ndim` dimensions."""
        return self.scales.view(self.inputs, 1, self.channels, *[1] * (ndim - 2)).unbind()

    @classmethod
    def cost(cls, channels: int, inputs: int, positions: int, **_settings: Any) -> Cost:
        """Return the exact cost: NC parameters; element-wise work is not counted."""
        return Cost(inputs * channels, 0)
