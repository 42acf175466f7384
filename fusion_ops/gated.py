"""`gated`: the sum, what is added to the identity gated by its own global context, as in an SE network.

Hu et al., "Squeeze-and-Excitation Networks", CVPR 2018, arXiv 1709.01507: there the gate stands at the end of the
residual branch, as it does here, with values in (0, 1) (`scale="paper"`). Here it has values in (0, 2), so that a
neutral gate is the sum. The layers of the gate are theirs: no normalisation, all with bias.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from fusion_ops.align import convolution_class
from fusion_ops.cost import Cost, convolution
from fusion_ops.mixing import plus_weighted
from fusion_ops.norm import GlobalAverage
from fusion_ops.operator import FusionOperator, register
from fusion_ops.settings import one_of

__all__ = ["Gated"]


@register("gated")
class Gated(FusionOperator):
    """Gates what is added to the identity: `y + 2σ(E(x))·x`, for N inputs `x_N + Σ_{i<N} 2σ(E_i(x_i))·x_i`.

    `E(x) = W₂ ReLU(W₁ GAP(x))`, W₁: C → d and W₂: d → C 1×1 convolutions with bias, `d = max(1, C // r)`. Each gated
    input has its own. `(B, C, *size), … -> (B, C, *size)`.

    Args:
        channels: C.
        r: Channel reduction ratio.
        inputs: N.
        dims: Spatial dimensions: 1, 2 or 3.
        init: `default`, or `sum`: every W₂ starts at 0, so it computes exactly the sum.
        identity: The input that is left alone: the `last`, as in the formula, or the `first`.
        scale: `inputs`, or `paper` for the published gate without the factor 2.

    Raises:
        SpecError: An argument is out of its range, or the inputs cannot be fused.
    """

    formula = "y + 2σ(E(x))·x,  E(x) = W₂ ReLU(W₁ GAP(x))"
    source = "SE, Hu et al. 2018, arXiv 1709.01507"
    reduces = True
    options: ClassVar = {"identity": ("last", "first"), "scale": ("inputs", "paper")}

    def __init__(
        self,
        channels: int,
        r: int = 16,
        *,
        inputs: int = 2,
        dims: int = 2,
        init: str = "default",
        identity: str = "last",
        scale: str = "inputs",
    ) -> None:
        super().__init__(channels, inputs=inputs, dims=dims, init=init)
        self.times = 2 if one_of("scale", scale, ("inputs", "paper")) == "inputs" else 1
        self.identity = one_of("identity", identity, ("last", "first"))
        conv, width = convolution_class(dims), self.width(channels, r)
        self.excite = nn.ModuleList(
            nn.Sequential(GlobalAverage(), conv(channels, width, 1), nn.ReLU(inplace=True), conv(width, channels, 1))
            for _ in range(inputs - 1)
        )
        if init == "sum":
            for stack in self.excite:
                for parameter in list(stack.parameters())[-2:]:
                    nn.init.zeros_(parameter)

    def fuse(self, *features: Tensor) -> Tensor:
        """Gate N − 1 maps of one shape and add them to another."""
        *gated, identity = features if self.identity == "last" else features[::-1]
        return plus_weighted(identity, gated, self._gates(gated))

    def input_weights(self, *features: Tensor) -> tuple[Tensor, ...]:
        """Return a gate for every channel of the gated inputs, and 1 for the identity."""
        *gated, _ = features if self.identity == "last" else features[::-1]
        gates = self._gates(gated)
        weights = (*gates, torch.ones_like(gates[0]))
        return weights if self.identity == "last" else weights[::-1]

    def _gates(self, gated: list[Tensor]) -> tuple[Tensor, ...]:
        """Return the gate of each input but the identity."""
        return tuple(torch.sigmoid(excite(x)) * self.times for excite, x in zip(self.excite, gated, strict=True))

    @classmethod
    def cost(cls, channels: int, inputs: int, positions: int, *, r: int = 16, **_settings: Any) -> Cost:
        """Return the exact cost: `(N − 1)(2Cd + d + C)` parameters; it does not depend on the number of positions."""
        width = cls.width(channels, r)
        stack = convolution(channels, width, 1, bias=True) + convolution(width, channels, 1, bias=True)
        return (inputs - 1) * stack
