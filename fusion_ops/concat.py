"""`concat`: concatenation along the channels, then a 1×1 convolution back to C of them.

Where the output has as many channels as all inputs together, the point is a concatenation in its host
network, and this is plain concatenation. Unlike other operators it takes inputs of any channels as they
are, without a convolution of their own before.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from fusion_ops.align import convolution_class, matched
from fusion_ops.cost import Cost, convolution
from fusion_ops.operator import FusionOperator, register

__all__ = ["Concat"]


@register("concat")
class Concat(FusionOperator):
    """Concatenates and projects: `P [x, y]`, P a 1×1 convolution with bias.

    Where `[x, y]` has C channels already it is left as it is. `(B, C_i, *size_i), … -> (B, C, *size_1)`.

    Args:
        channels: C, channels of the output.
        inputs: N.
        dims: Spatial dimensions: 1, 2 or 3.
        init: `default`, or `sum`: P starts as the sum of the inputs that have C channels, plus freshly
            initialised projections of those that have not. Plain concatenation has nothing to initialise.
        in_channels: Channels of each input; `None` if all have C.

    Raises:
        SpecError: An argument is out of its range, or the inputs cannot be fused.
    """

    formula = "P [x, y]"
    source = "U-Net, Ronneberger et al. 2015, arXiv 1505.04597"
    any_channels = True

    def __init__(
        self,
        channels: int,
        *,
        inputs: int = 2,
        dims: int = 2,
        init: str = "default",
        in_channels: Sequence[int] | None = None,
    ) -> None:
        super().__init__(channels, inputs=inputs if in_channels is None else len(in_channels), dims=dims, init=init)
        self.in_channels = (channels,) * inputs if in_channels is None else tuple(in_channels)
        together = sum(self.in_channels)
        self.project: nn.Module = nn.Identity()
        if together != channels:
            self.project = convolution_class(dims)(together, channels, 1)
            if init == "sum":
                start_as_sum(self.project.weight, self.project.bias, self.in_channels)

    def forward(self, *features: Tensor) -> Tensor:
        """Check the inputs, bring them to the first one's size, fuse them.

        Raises:
            SpecError: The inputs cannot be fused; the message names their shapes.
        """
        return self.fuse(*matched(features, self.in_channels, self.inputs, self.dims))

    def fuse(self, *features: Tensor) -> Tensor:
        """Concatenate maps of one size and project them."""
        fused: Tensor = self.project(torch.cat(features, dim=1))
        return fused

    @classmethod
    def cost(
        cls, channels: int, inputs: int, positions: int, *, in_channels: Sequence[int] | None = None, **_settings: Any
    ) -> Cost:
        """Return the exact cost of the projection; plain concatenation has none."""
        together = inputs * channels if in_channels is None else sum(in_channels)
        return Cost() if together == channels else convolution(together, channels, positions, bias=True)


def start_as_sum(weight: Tensor, bias: Tensor | None, in_channels: Sequence[int]) -> None:
    """Let a 1×1 convolution of concatenated inputs start as their sum.

    Inputs of as many channels as the output get the identity; others a projection of their own, as
    `nn.Conv2d` would initialise it. The bias is 0.

    Args:
        weight: `(C, Σ C_i, 1, …)`, overwritten.
        bias: `(C,)`, overwritten.
        in_channels: C_i.
    """
    with torch.no_grad():
        for block in torch.split(weight, list(in_channels), dim=1):
            if block.shape[0] == block.shape[1]:
                nn.init.dirac_(block)
            else:
                nn.init.kaiming_uniform_(block, a=math.sqrt(5))
        if bias is not None:
            nn.init.zeros_(bias)
