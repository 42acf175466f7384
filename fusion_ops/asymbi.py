"""`asymbi`: two maps gate each other, one by its global context, the other by its local context.

The asymmetric contextual modulation of Dai et al., "Asymmetric Contextual Modulation for Infrared Small Target
Detection", WACV 2021, arXiv 2009.14530: the global context of the deep map y gates the shallow map x, the local
context of x gates y. Published without the factors 2 (`scale="paper"`), for two inputs. With more, the deep map
gates every other by a stack of its own, and the local context of their sum gates it; with the factors, neutral
gates (1/2) are the sum for any number. Here it also trains with batch size 1.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from fusion_ops.mixing import in_parts, plus_product, total
from fusion_ops.mscam import global_attention, local_attention, mute
from fusion_ops.operator import FusionOperator, register
from fusion_ops.settings import one_of
from fusion_ops.spelling import is_plain

__all__ = ["AsymBi"]


@register("asymbi")
class AsymBi(FusionOperator):
    """Gates both ways: `2σ(G(y))·x + 2σ(L(x))·y`.

    For N inputs `Σ_{i<N} 2σ(G_i(x_N))·x_i + 2σ(L(Σ_{i<N} x_i))·x_N`. L and G are the local and the global stack of
    MS-CAM (`fusion_ops.MSCAM`) with `d = max(1, C // r)` hidden channels.
    `(B, C, *size), … -> (B, C, *size)`.

    Args:
        channels: C.
        r: Channel reduction ratio.
        inputs: N.
        dims: Spatial dimensions: 1, 2 or 3.
        init: `default`, or `sum`: the stacks start at 0, so it computes exactly the sum.
        scale: `inputs`, or `paper` for the published form without the factors 2.
        gate: The input whose global context gates the others: the `last`, as in the formula, or the `first`.

    Raises:
        SpecError: An argument is out of its range, or the inputs cannot be fused.
    """

    formula = "2σ(G(y))·x + 2σ(L(x))·y"
    source = "ACM, Dai et al. 2021, arXiv 2009.14530"
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
        width = self.width(channels, r)
        self.local_att = local_attention(channels, width, dims=dims)
        self.global_att = global_attention(channels, width, stacks=inputs - 1, dims=dims)
        if init == "sum":
            mute(self.local_att, self.global_att)

    def fuse(self, *features: Tensor) -> Tensor:
        """Gate N maps of one shape by each other."""
        *shallow, deep = features if self.gate == "last" else features[::-1]
        gates = self._gates(deep)
        fused: Tensor = shallow[0] * gates[0]
        for feature, gate in zip(shallow[1:], gates[1:], strict=True):
            fused = plus_product(fused, gate, feature)
        gated = deep * torch.sigmoid(self.local_att(total(shallow)))
        if is_plain():
            return fused + self.times * gated
        return torch.add(fused, gated, alpha=self.times)

    def input_weights(self, *features: Tensor) -> tuple[Tensor, ...]:
        """Return a gate for every channel of the shallow maps, and for the deep one at every position, too."""
        *shallow, deep = features if self.gate == "last" else features[::-1]
        weights = (*self._gates(deep), torch.sigmoid(self.local_att(total(shallow))) * self.times)
        return weights if self.gate == "last" else weights[::-1]

    def _gates(self, deep: Tensor) -> tuple[Tensor, ...]:
        """Return the gate of each shallow map."""
        return in_parts(torch.sigmoid(self.global_att(deep)) * self.times, self.inputs - 1)
