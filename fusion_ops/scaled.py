"""`scaled`: the sum, what is added to the identity scaled by a learned number: the cheapest rival of all attention.

Bachlechner et al., "ReZero is All You Need", arXiv 2003.04887, and De and Smith, "Batch Normalization Biases Residual
Blocks Towards the Identity Function" (SkipInit), arXiv 2002.10444, have one number a branch, which starts at 0
(`scale="paper"`); Touvron et al., "Going deeper with Image Transformers" (LayerScale), arXiv 2103.17239, has one a
channel (`per="channel"`), which starts near 0. Here it starts at 1: exactly the sum. `scaled_sum` scales all inputs,
the identity, too, and is what constant attention comes to; this leaves the identity alone.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from fusion_ops.cost import Cost
from fusion_ops.mixing import plus_weighted
from fusion_ops.operator import FusionOperator, register
from fusion_ops.settings import one_of

__all__ = ["Scaled"]


@register("scaled")
class Scaled(FusionOperator):
    """Scales what is added to the identity: `y + γ·x`, for N inputs `x_N + Σ_{i<N} γ_i·x_i`.

    Each γ is a number, or one a channel. `(B, C, *size), … -> (B, C, *size)`.

    Args:
        channels: C.
        inputs: N.
        dims: Spatial dimensions: 1, 2 or 3.
        init: `default`, or `sum`: every γ starts at 1, whatever the scale, so it computes exactly the sum.
        per: What has a γ of its own: an input (`scalar`), or a `channel` of it.
        identity: The input that is left alone: the `last`, as in the formula, or the `first`.
        scale: `inputs`: γ starts at 1; `paper`: at 0 as in ReZero and SkipInit, so it computes the identity.

    Raises:
        SpecError: An argument is out of its range, or the inputs cannot be fused.
    """

    formula = "y + γ·x,  γ learned"
    source = "ReZero, arXiv 2003.04887; SkipInit, arXiv 2002.10444; LayerScale, arXiv 2103.17239"
    options: ClassVar = {
        "per": ("scalar", "channel"),
        "identity": ("last", "first"),
        "scale": ("inputs", "paper"),
    }

    def __init__(
        self,
        channels: int,
        *,
        inputs: int = 2,
        dims: int = 2,
        init: str = "default",
        per: str = "scalar",
        identity: str = "last",
        scale: str = "inputs",
    ) -> None:
        super().__init__(channels, inputs=inputs, dims=dims, init=init)
        self.identity = one_of("identity", identity, ("last", "first"))
        width = channels if one_of("per", per, ("scalar", "channel")) == "channel" else 1
        silent = one_of("scale", scale, ("inputs", "paper")) == "paper" and init == "default"
        self.scales = nn.Parameter(torch.full((inputs - 1, width), 0.0 if silent else 1.0))

    def fuse(self, *features: Tensor) -> Tensor:
        """Scale N − 1 maps of one shape and add them to another."""
        *scaled, identity = features if self.identity == "last" else features[::-1]
        return plus_weighted(identity, scaled, self._by_channel(identity.ndim))

    def input_weights(self, *features: Tensor) -> tuple[Tensor, ...]:
        """Return γ of each scaled input, and 1 for the identity."""
        scales = self._by_channel(features[0].ndim)
        weights = (*scales, torch.ones_like(scales[0]))
        return weights if self.identity == "last" else weights[::-1]

    def _by_channel(self, ndim: int) -> tuple[Tensor, ...]:
        """Return γ of each scaled input, to be multiplied with maps of `ndim` dimensions."""
        return self.scales.view(self.inputs - 1, 1, -1, *[1] * (ndim - 2)).unbind()

    @classmethod
    def cost(cls, channels: int, inputs: int, positions: int, *, per: str = "scalar", **_settings: Any) -> Cost:
        """Return the exact cost: N − 1 parameters, or (N − 1)C; element-wise work is not counted."""
        return Cost((inputs - 1) * (channels if per == "channel" else 1), 0)
