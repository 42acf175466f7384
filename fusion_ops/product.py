"""`product`: the sum, and beside it the product of what two projections see.

The star operation of Ma et al., "Rewrite the Stars", CVPR 2024, arXiv 2403.19967: an element-wise product of two
linear maps has, in C channels, the features of about C² of their products. There it stands alone and on one map; here
it corrects the sum of several, by a learned share α that may start at 0 (`init="sum"`): as in ReZero α gets a gradient
then at once, the projections one step later.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from fusion_ops.align import convolution_class
from fusion_ops.cost import Cost, convolution
from fusion_ops.mixing import plus_weighted, total
from fusion_ops.operator import FusionOperator, register

__all__ = ["Product"]


@register("product")
class Product(FusionOperator):
    """Adds a product to the sum: `x + y + α·(W₁ x) ⊙ (W₂ y)`.

    The W_i: C → C are 1×1 convolutions without bias, α is a number. For N inputs the sum of the first N − 1
    projections is multiplied by the last, `Σ_i x_i + α·(Σ_{i<N} W_i x_i) ⊙ (W_N x_N)`: of second degree whatever N is.
    `(B, C, *size), … -> (B, C, *size)`.

    Args:
        channels: C.
        inputs: N.
        dims: Spatial dimensions: 1, 2 or 3.
        init: `default`: α starts at 1; `sum`: at 0, so it computes exactly the sum.

    Raises:
        SpecError: An argument is out of its range, or the inputs cannot be fused.
    """

    formula = "x + y + α·(W₁ x) ⊙ (W₂ y),  α learned"
    source = "StarNet, Ma et al. 2024, arXiv 2403.19967"

    def __init__(self, channels: int, *, inputs: int = 2, dims: int = 2, init: str = "default") -> None:
        super().__init__(channels, inputs=inputs, dims=dims, init=init)
        conv = convolution_class(dims)
        self.project = nn.ModuleList(conv(channels, channels, 1, bias=False) for _ in range(inputs))
        self.share = nn.Parameter(torch.full((1,), 0.0 if init == "sum" else 1.0))

    def fuse(self, *features: Tensor) -> Tensor:
        """Add N maps of one shape and the product of their projections."""
        *others, last = (project(feature) for project, feature in zip(self.project, features, strict=True))
        return plus_weighted(total(features), [total(others) * last], [self.share])

    @classmethod
    def cost(cls, channels: int, inputs: int, positions: int, **_settings: Any) -> Cost:
        """Return the exact cost: `NC² + 1` parameters; a projection of every input at every position."""
        return inputs * convolution(channels, channels, positions) + Cost(1, 0)
