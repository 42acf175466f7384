"""`iaff`: iterative attentional feature fusion, AFF's result being what a second attention sees.

Dai et al., "Attentional Feature Fusion", WACV 2021, arXiv 2009.14082. Unlike there, the output's weights
sum to the number of inputs (`scale="paper"`: to 1), more than two inputs can be fused, batch size 1
trains, and inputs of other shapes are refused instead of broadcast. In the authors' PyTorch code the
second pass uses the *first* global branch; `shared_global=True` does that, for weights trained so.
Parameters have the names of that code, so its state dicts load.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor

from fusion_ops.aff import initial_integration, integration_cost
from fusion_ops.cost import Cost
from fusion_ops.errors import SpecError
from fusion_ops.mixing import total, total_weights, weighted_mean, weighted_sum
from fusion_ops.mscam import attention_branches, attention_cost, attention_logits, mute
from fusion_ops.operator import FusionOperator, register
from fusion_ops.settings import one_of

__all__ = ["IAFF"]


@register("iaff")
class IAFF(FusionOperator):
    """Iterative attentional feature fusion: `2w₂·x + 2(1−w₂)·y`, `w₂` from a first fusion u.

    `w₁ = σ(L₁(z) + G₁(z))`, `z = x + y`; `u = w₁·x + (1−w₁)·y`; `w₂ = σ(L₂(u) + G₂(u))`. Only the output
    has the factor 2: u's weights sum to 1 in either scale. The stacks are those of MS-CAM
    (`fusion_ops.MSCAM`), each with its own weights and `d = max(1, C // r)` hidden channels. For N inputs
    both passes have N − 1 stacks, whose logits and a last one of 0 go through a softmax over the inputs;
    the output is N times the weighted sum, u once. `(B, C, *size), … -> (B, C, *size)`.

    Args:
        channels: C.
        r: Channel reduction ratio.
        inputs: N.
        dims: Spatial dimensions: 1, 2 or 3.
        init: `default`, or `sum`: the second stacks start at 0, so it computes exactly the sum.
        scale: `inputs`: the weights sum to N; `paper`: to 1.
        context: `both`, or one of `local` and `global`.
        initial: What the first pass sees: the `sum` of the inputs, or a 1×1 convolution of their `concat`.
        shared_global: Whether the second pass uses G₁, as the published PyTorch code does. G₂ then stays in
            the state dict, unused and frozen.

    Raises:
        SpecError: An argument is out of its range, or the inputs cannot be fused.
    """

    formula = "2w₂·x + 2(1−w₂)·y,  w₂ = σ(L₂(u) + G₂(u)),  u = w₁·x + (1−w₁)·y,  w₁ = σ(L₁(x + y) + G₁(x + y))"
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
        shared_global: bool = False,
    ) -> None:
        super().__init__(channels, inputs=inputs, dims=dims, init=init)
        if shared_global and context == "local":
            raise SpecError("`shared_global` needs a global branch; got context='local'. Choose 'both' or 'global'.")
        self.scale = one_of("scale", scale, ("inputs", "paper"))
        self.shared_global = shared_global
        width = self.width(channels, r)
        self.local_att, self.global_att = attention_branches(
            channels, width, context=context, stacks=inputs - 1, dims=dims
        )
        self.local_att2, self.global_att2 = attention_branches(
            channels, width, context=context, stacks=inputs - 1, dims=dims
        )
        if shared_global and self.global_att2 is not None:
            self.global_att2.requires_grad_(False)
        self.integrate = initial_integration(initial, channels, inputs, dims)
        if init == "sum":
            mute(self.local_att2, self.global_att if shared_global else self.global_att2)

    def fuse(self, *features: Tensor) -> Tensor:
        """Weigh N maps of one shape, twice."""
        summed = total(features)
        logits = self._logits(features, summed)
        if self.scale == "paper":
            return weighted_mean(features, logits)
        return weighted_sum(features, logits, summed)

    def input_weights(self, *features: Tensor) -> tuple[Tensor, ...]:
        """Return the second pass's weight for every channel of every input at every position."""
        logits = self._logits(features, total(features))
        return total_weights(logits, self.inputs, 1 if self.scale == "paper" else self.inputs)

    def _logits(self, features: tuple[Tensor, ...], summed: Tensor) -> Tensor:
        """Return the second pass's logits, of all inputs but the last."""
        z = summed if self.integrate is None else self.integrate(torch.cat(features, dim=1))
        u = weighted_mean(features, attention_logits(z, self.local_att, self.global_att))
        return attention_logits(u, self.local_att2, self.global_att if self.shared_global else self.global_att2)

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
        """Return the exact cost: with both contexts and two inputs `2(4Cd + 6d + 6C)` parameters."""
        stacks = attention_cost(channels, cls.width(channels, r), positions, stacks=inputs - 1, context=context)
        return 2 * stacks + integration_cost(initial, channels, inputs, positions)
