"""`aff`: attentional feature fusion, weights for every channel at every position from MS-CAM.

Dai et al., "Attentional Feature Fusion", WACV 2021, arXiv 2009.14082. The factor 2 is in the authors' code
and not in the paper's equation (`scale="paper"`). Unlike there, more than two inputs can be fused, batch
size 1 trains, and inputs of other shapes are refused instead of broadcast. Parameters have the names of
the published code, so its state dicts load.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from fusion_ops.align import convolution_class
from fusion_ops.cost import Cost, convolution
from fusion_ops.mixing import total, total_weights, weighted_mean, weighted_sum
from fusion_ops.mscam import attention_branches, attention_cost, attention_logits, mute
from fusion_ops.operator import FusionOperator, register
from fusion_ops.settings import one_of

__all__ = ["AFF", "initial_integration", "integration_cost"]


@register("aff")
class AFF(FusionOperator):
    """Attentional feature fusion: `2w·x + 2(1−w)·y`, `w = σ(L(z) + G(z))`, `z = x + y`.

    L and G are the local and the global stack of MS-CAM (`fusion_ops.MSCAM`) with
    `d = max(1, C // r)` hidden channels. For N inputs, N − 1 stacks give the logits of the first N − 1, the
    last one's is 0, and the inputs are weighted by N times the softmax over them.
    `(B, C, *size), … -> (B, C, *size)`.

    Args:
        channels: C.
        r: Channel reduction ratio.
        inputs: N.
        dims: Spatial dimensions: 1, 2 or 3.
        init: `default`, or `sum`: the stacks start at 0, so it computes exactly the sum.
        scale: `inputs`: the weights sum to N; `paper`: to 1.
        context: `both`, or one of `local` and `global`.
        initial: What the attention sees: the `sum` of the inputs, or a 1×1 convolution of their `concat`.

    Raises:
        SpecError: An argument is out of its range, or the inputs cannot be fused.
    """

    formula = "2w·x + 2(1−w)·y,  w = σ(L(x + y) + G(x + y))"
    source = "Dai et al. 2021, arXiv 2009.14082"
    reduces = True
    options: ClassVar = {
        "context": ("both", "local", "global"),
        "initial": ("sum", "concat"),
        "scale": ("inputs", "paper"),
    }

    def __init__(
        self,
        channels: int,
        r: int = 4,
        *,
        inputs: int = 2,
        dims: int = 2,
        init: str = "default",
        scale: str = "inputs",
        context: str = "both",
        initial: str = "sum",
    ) -> None:
        super().__init__(channels, inputs=inputs, dims=dims, init=init)
        self.scale = one_of("scale", scale, ("inputs", "paper"))
        self.local_att, self.global_att = attention_branches(
            channels, self.width(channels, r), context=context, stacks=inputs - 1, dims=dims
        )
        self.integrate = initial_integration(initial, channels, inputs, dims)
        if init == "sum":
            mute(self.local_att, self.global_att)

    def fuse(self, *features: Tensor) -> Tensor:
        """Weigh N maps of one shape."""
        summed = total(features)
        logits = self._logits(features, summed)
        if self.scale == "paper":
            return weighted_mean(features, logits)
        return weighted_sum(features, logits, summed)

    def input_weights(self, *features: Tensor) -> tuple[Tensor, ...]:
        """Return a weight for every channel of every input at every position."""
        logits = self._logits(features, total(features))
        return total_weights(logits, self.inputs, 1 if self.scale == "paper" else self.inputs)

    def _logits(self, features: tuple[Tensor, ...], summed: Tensor) -> Tensor:
        """Return the logits of all inputs but the last."""
        z = summed if self.integrate is None else self.integrate(torch.cat(features, dim=1))
        return attention_logits(z, self.local_att, self.global_att)

    @classmethod
    def cost(
        cls,
        channels: int,
        inputs: int,
        positions: int,
        *,
        r: int = 4,
        context: str = "both",
        initial: str = "sum",
        **_settings: Any,
    ) -> Cost:
        """Return the exact cost: with both contexts and two inputs `4Cd + 6d + 6C` parameters."""
        stacks = attention_cost(channels, cls.width(channels, r), positions, stacks=inputs - 1, context=context)
        return stacks + integration_cost(initial, channels, inputs, positions)


def initial_integration(initial: str, channels: int, inputs: int, dims: int) -> nn.Module | None:
    """Return the 1×1 convolution of `[x, y]` that MS-CAM sees first, or `None` where it sees the sum.

    Raises:
        SpecError: `initial` is not `sum` or `concat`.
    """
    if one_of("initial", initial, ("sum", "concat")) == "sum":
        return None
    return convolution_class(dims)(inputs * channels, channels, 1)


def integration_cost(initial: str, channels: int, inputs: int, positions: int) -> Cost:
    """Return the exact cost of `initial_integration` for H × W positions."""
    if initial == "sum":
        return Cost()
    return convolution(inputs * channels, channels, positions, bias=True)
