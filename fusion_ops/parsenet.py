"""`parsenet`: the sum, and beside it a projection of local features and of the image's global context.

After Liu et al., "ParseNet: Looking Wider to See Better", arXiv 1506.04579: features of different scale are
brought together by an L2 norm over the channels with a learned scale. There a map is concatenated with its own
pooled context; here one input's context joins the others' features, as a correction of their sum. The learned
scales start at √C (20 for 512 channels in the paper), and `ε` keeps the norm of an empty position apart from 0.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from fusion_ops.align import convolution_class, convolve
from fusion_ops.mixing import plus_product, total
from fusion_ops.norm import GlobalAverage, inverse_rms
from fusion_ops.operator import FusionOperator, register

__all__ = ["ParseNet"]


@register("parsenet")
class ParseNet(FusionOperator):
    """Adds global context to local features: `x + y + P [norm(x), norm(GAP(y))]`.

    `norm(v) = γ·v / √(Σ_c v_c² + Cε)` with a scale γ for each channel of each input, ε = 10⁻⁵; P is a 1×1
    convolution with bias. For N inputs `Σ_i x_i + P [norm(x_1), …, norm(x_{N−1}), norm(GAP(x_N))]`.
    `(B, C, *size), … -> (B, C, *size)`. P is kept in parts, one an input: `local` and `context`. The context is
    projected at its single position, and as a norm is one number a position, it is taken after the projection,
    so that neither the concatenation nor a normalised map is written to memory.

    Args:
        channels: C.
        inputs: N.
        dims: Spatial dimensions: 1, 2 or 3.
        init: `default`, or `sum`: P starts at 0, so it computes exactly the sum.

    Raises:
        SpecError: An argument is out of its range, or the inputs cannot be fused.
    """

    formula = "x + y + P [norm(x), norm(GAP(y))],  norm: L2 over the channels, with a learned scale"
    source = "Liu et al. 2015, arXiv 1506.04579"

    def __init__(self, channels: int, *, inputs: int = 2, dims: int = 2, init: str = "default") -> None:
        super().__init__(channels, inputs=inputs, dims=dims, init=init)
        conv = convolution_class(dims)
        self.pool = GlobalAverage()
        self.scales = nn.Parameter(torch.full((inputs, channels), math.sqrt(channels)))
        self.local = nn.ModuleList(conv(channels, channels, 1, bias=False) for _ in range(inputs - 1))
        self.context = conv(channels, channels, 1)
        if init == "sum":
            for parameter in (*self.local.parameters(), *self.context.parameters()):
                nn.init.zeros_(parameter)

    def fuse(self, *features: Tensor) -> Tensor:
        """Add N maps of one shape and the projection of their normalised contents."""
        fused = total(features)
        *scales, last_scale = (scale.view(-1, *[1] * (fused.ndim - 2)) for scale in self.scales.unbind())
        for feature, weight, scale in zip(features, self.local.parameters(), scales, strict=False):
            projected = convolve(feature, weight * scale)
            fused = plus_product(fused, projected, _inverse_norm(feature))
        pooled = self.pool(features[-1])
        context: Tensor = self.context(pooled * _inverse_norm(pooled) * last_scale)
        return fused + context


def _inverse_norm(v: Tensor) -> Tensor:
    """Return `1 / √(Σ_c v_c² + Cε)` for every position: `(B, C, *size) -> (B, 1, *size)`."""
    return inverse_rms(v) / math.sqrt(v.shape[1])
