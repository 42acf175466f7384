"""`modulate`: the global context of one input gates the others, and it is added as it is.

The global attention upsample of Li et al., "Pyramid Attention Network", arXiv 1805.10180, in the form that Dai
et al. compare with in "Attentional Feature Fusion", arXiv 2009.14082. Published without the factor 2
(`scale="paper"`), for two inputs. With more, the gating input gates every other, each by a stack of its own;
with the factor, a neutral gate (1/2) is the sum for any number. Here it also trains with batch size 1.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from fusion_ops.mixing import in_parts, plus_product
from fusion_ops.mscam import global_attention, mute
from fusion_ops.operator import FusionOperator, register
from fusion_ops.settings import one_of

__all__ = ["Modulate"]


@register("modulate")
class Modulate(FusionOperator):
    """Gates by global context: `2·σ(G(y))·x + y`, for N inputs `Σ_{i<N} 2·σ(G_i(x_N))·x_i + x_N`.

    G is the global stack of MS-CAM (`fusion_ops.MSCAM`), Conv-BN-ReLU-Conv-BN after global average pooling with
    `d = max(1, C // r)` hidden channels. `(B, C, *size), … -> (B, C, *size)`.

    Args:
        channels: C.
        r: Channel reduction ratio.
        inputs: N.
        dims: Spatial dimensions: 1, 2 or 3.
        init: `default`, or `sum`: the stacks start at 0, so it computes exactly the sum.
        scale: `inputs`, or `paper` for the published form without the factor 2.
        gate: The input whose context gates the others: the `last`, as in the formula, or the `first`.

    Raises:
        SpecError: An argument is out of its range, or the inputs cannot be fused.
    """

    formula = "2σ(G(y))·x + y"
    source = "PAN, Li et al. 2018, arXiv 1805.10180"
    reduces = True
    options: ClassVar = {"gate": ("last", "first"), "scale": ("inputs", "paper")}

    def __init__(
        self,
        channels: int,
        r: int = 4,
        *,
        inputs: int = 2,
        dims: int = 2,
        init: str = "default",
        scale: str = "inputs",
        gate: str = "last",
    ) -> None:
        super().__init__(channels, inputs=inputs, dims=dims, init=init)
        self.times = 2 if one_of("scale", scale, ("inputs", "paper")) == "inputs" else 1
        self.gate = one_of("gate", gate, ("last", "first"))
        self.global_att = global_attention(channels, self.width(channels, r), stacks=inputs - 1, dims=dims)
        if init == "sum":
            mute(self.global_att)

    def fuse(self, *features: Tensor) -> Tensor:
        """Gate N − 1 maps of one shape by the context of another, and add them to it."""
        *gated, fused = features if self.gate == "last" else features[::-1]
        for feature, gate in zip(gated, self._gates(fused), strict=True):
            fused = plus_product(fused, gate, feature)
        return fused

    def input_weights(self, *features: Tensor) -> tuple[Tensor, ...]:
        """Return a gate for every channel of the gated inputs, and 1 for the one that gates them."""
        gates = self._gates(features[-1] if self.gate == "last" else features[0])
        weights = (*gates, torch.ones_like(gates[0]))
        return weights if self.gate == "last" else weights[::-1]

    def _gates(self, gating: Tensor) -> tuple[Tensor, ...]:
        """Return the gate of each other input."""
        return in_parts(torch.sigmoid(self.global_att(gating)) * self.times, self.inputs - 1)
