"""`coord`: the sum, gated along each of its dimensions by what is seen along it.

Hou et al., "Coordinate Attention for Efficient Mobile Network Design", CVPR 2021, arXiv 2103.02907. There the gates
have values in (0, 1) (`scale="paper"`) and stand on one map, the hidden width is `max(8, C // 32)` and the dimensions
are height and width; here they are on the sum of the inputs, and doubled, so that neutral gates are the sum, r gives
the width, and there are as many gates as dimensions.
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor, nn

from fusion_ops.align import convolution_class
from fusion_ops.mixing import total
from fusion_ops.norm import batch_norm_class
from fusion_ops.operator import FusionOperator, register
from fusion_ops.settings import one_of

__all__ = ["Coord"]


@register("coord")
class Coord(FusionOperator):
    """Gates the sum along its height and its width: `2σ(A₁ h(mean_w z)) · 2σ(A₂ h(mean_h z)) · z`, `z = x + y`.

    The mean over the width has one position a row, that over the height one a column. h is the hard-swish of a
    normalised 1×1 convolution W: C → d, `hswish(BN(W ·))`, the same for both, `d = max(1, C // r)`; the A: d → C are
    1×1 convolutions; all have a bias. In training the normalisation sees all rows and columns together. In one
    and three dimensions there are one and three gates. For N inputs z is the sum of all.
    `(B, C, *size), … -> (B, C, *size)`.

    Args:
        channels: C.
        r: Channel reduction ratio.
        inputs: N.
        dims: Spatial dimensions: 1, 2 or 3.
        init: `default`, or `sum`: every A starts at 0, so it computes exactly the sum.
        scale: `inputs`, or `paper` for the published gates without the factors 2.

    Raises:
        SpecError: An argument is out of its range, or the inputs cannot be fused.
    """

    formula = "2σ(A₁ h(mean_w z)) · 2σ(A₂ h(mean_h z)) · z,  h = hard-swish of BN of W,  z = x + y"
    source = "Hou et al. 2021, arXiv 2103.02907"
    reduces = True
    options: ClassVar = {"scale": ("inputs", "paper")}

    def __init__(
        self,
        channels: int,
        r: int = 32,
        *,
        inputs: int = 2,
        dims: int = 2,
        init: str = "default",
        scale: str = "inputs",
    ) -> None:
        super().__init__(channels, inputs=inputs, dims=dims, init=init)
        self.times = 2 if one_of("scale", scale, ("inputs", "paper")) == "inputs" else 1
        conv, width = convolution_class(dims), self.width(channels, r)
        self.squeeze = nn.Sequential(conv(channels, width, 1), batch_norm_class(dims)(width), nn.Hardswish())
        self.ask = nn.ModuleList(conv(width, channels, 1) for _ in range(dims))
        if init == "sum":
            for parameter in self.ask.parameters():
                nn.init.zeros_(parameter)

    def fuse(self, *features: Tensor) -> Tensor:
        """Add N maps of one shape and gate their sum."""
        summed = total(features)
        return summed * self._gate(summed)

    def input_weights(self, *features: Tensor) -> tuple[Tensor, ...]:
        """Return the product of the gates, for every channel at every position, the same for all inputs."""
        return (self._gate(total(features)),) * self.inputs

    def _gate(self, summed: Tensor) -> Tensor:
        """Return the product of the gates of all dimensions: they are small, so it is taken before the sum is read."""
        gate, *others = self._gates(summed)
        for other in others:
            gate = gate * other
        return gate

    def _gates(self, summed: Tensor) -> list[Tensor]:
        """Return a gate for each dimension, of size 1 along the others."""
        squeezed = self._squeezed([_along(summed, axis) for axis in range(2, summed.ndim)])
        return [torch.sigmoid(ask(line)) * self.times for ask, line in zip(self.ask, squeezed, strict=True)]

    def _squeezed(self, lines: list[Tensor]) -> list[Tensor]:
        """Return every line squeezed; together where they are normalised by what they have in common."""
        if not self.training:
            return [self.squeeze(line) for line in lines]
        joined = torch.cat([line.flatten(2) for line in lines], dim=2)
        squeezed = self.squeeze(joined.reshape(*joined.shape, *[1] * (lines[0].ndim - 3)))
        parts = squeezed.split([math.prod(line.shape[2:]) for line in lines], dim=2)
        return [part.reshape(*part.shape[:2], *line.shape[2:]) for part, line in zip(parts, lines, strict=True)]


def _along(z: Tensor, axis: int) -> Tensor:
    """Return the mean over all spatial dimensions but one, which are kept at size 1."""
    others = [other for other in range(2, z.ndim) if other != axis]
    return z.mean(dim=others, keepdim=True) if others else z
