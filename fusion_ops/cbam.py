"""`cbam`: the sum, gated by channel and then by place, both from mean and maximum.

Woo et al., "CBAM: Convolutional Block Attention Module", ECCV 2018, arXiv 1807.06521, the equations of the paper: no
biases, no normalisation of the spatial gate (the authors' code has one). There the gates have values in (0, 1)
(`scale="paper"`) and stand on one map; here they are on the sum of the inputs, and doubled, so that neutral gates are
the sum.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from fusion_ops.align import convolution_class
from fusion_ops.mixing import total
from fusion_ops.norm import GlobalAverage
from fusion_ops.operator import FusionOperator, register
from fusion_ops.settings import one_of
from fusion_ops.spelling import is_plain

__all__ = ["CBAM"]

_TAPS = 7


@register("cbam")
class CBAM(FusionOperator):
    """Gates the sum twice: `u = 2σ(M(GAP(z)) + M(GMP(z)))·z`, `z = x + y`, then `2σ(S [mean_c u, max_c u])·u`.

    M: C → d → C are two 1×1 convolutions with a ReLU between, of the mean and of the maximum over all positions (GAP,
    GMP), with `d = max(1, C // r)`; S is a convolution of 7 taps a dimension (7 × 7), of the mean and the maximum over
    the channels, to one channel; all are without bias. For N inputs z is the sum of all.
    `(B, C, *size), … -> (B, C, *size)`.

    Args:
        channels: C.
        r: Channel reduction ratio.
        inputs: N.
        dims: Spatial dimensions: 1, 2 or 3.
        init: `default`, or `sum`: the second convolution of M, and S, start at 0, so it computes exactly the sum.
        scale: `inputs`, or `paper` for the published gates without the factors 2.

    Raises:
        SpecError: An argument is out of its range, or the inputs cannot be fused.
    """

    formula = "2σ(S [mean_c u, max_c u])·u,  u = 2σ(M(GAP(z)) + M(GMP(z)))·z,  z = x + y"
    source = "Woo et al. 2018, arXiv 1807.06521"
    reduces = True
    options: ClassVar = {"scale": ("inputs", "paper")}

    def __init__(
        self,
        channels: int,
        r: int = 16,
        *,
        inputs: int = 2,
        dims: int = 2,
        init: str = "default",
        scale: str = "inputs",
    ) -> None:
        super().__init__(channels, inputs=inputs, dims=dims, init=init)
        self.times = 2 if one_of("scale", scale, ("inputs", "paper")) == "inputs" else 1
        conv, width = convolution_class(dims), self.width(channels, r)
        self.pool = GlobalAverage()
        self.by_channel = nn.Sequential(
            conv(channels, width, 1, bias=False), nn.ReLU(inplace=True), conv(width, channels, 1, bias=False)
        )
        self.by_place = conv(2, 1, _TAPS, padding=_TAPS // 2, bias=False)
        if init == "sum":
            for parameter in (*self.by_channel[-1].parameters(), *self.by_place.parameters()):
                nn.init.zeros_(parameter)

    def fuse(self, *features: Tensor) -> Tensor:
        """Add N maps of one shape and gate their sum."""
        summed = total(features)
        refined = summed * self._channel_gate(summed)
        return refined * self._place_gate(refined)

    def input_weights(self, *features: Tensor) -> tuple[Tensor, ...]:
        """Return the product of both gates, for every channel at every position, the same for all inputs."""
        summed = total(features)
        channel = self._channel_gate(summed)
        return (channel * self._place_gate(summed * channel),) * self.inputs

    def _channel_gate(self, z: Tensor) -> Tensor:
        largest = _largest_place(z)
        return torch.sigmoid(self.by_channel(self.pool(z)) + self.by_channel(largest)) * self.times

    def _place_gate(self, u: Tensor) -> Tensor:
        seen = torch.cat([u.mean(dim=1, keepdim=True), _largest_channel(u)], dim=1)
        return torch.sigmoid(self.by_place(seen)) * self.times


def _largest_place(z: Tensor) -> Tensor:
    """Return the maximum over all positions, kept at size 1; plainly spelled over one dimension after the other.

    Where values are equal, `amax` shares the gradient between them, but TVM does not know it.
    """
    places = range(2, z.ndim)
    if not is_plain():
        return z.amax(dim=tuple(places), keepdim=True)
    for place in places:
        z = z.max(dim=place, keepdim=True).values
    return z


def _largest_channel(u: Tensor) -> Tensor:
    """Return the maximum over the channels, kept at size 1; plainly spelled of halves, again and again.

    XNNPACK has a maximum over height and width alone, and fails where it is asked for another.
    """
    if not is_plain():
        return u.amax(dim=1, keepdim=True)
    width = u.shape[1]
    while width > 1:
        half = (width + 1) // 2
        u = torch.maximum(u[:, :half], u[:, width - half : width])
        width = half
    return u
