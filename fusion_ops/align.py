"""Bringing feature maps to one shape: 1×1 convolutions for channels, linear interpolation for sizes."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

from fusion_ops.cost import Cost, convolution
from fusion_ops.errors import SpecError

__all__ = ["Aligned", "alignment_cost", "check_shapes", "convolution_class", "convolve", "interpolated", "matched"]

_MODES = {3: "linear", 4: "bilinear", 5: "trilinear"}
_CONVOLVE = {3: functional.conv1d, 4: functional.conv2d, 5: functional.conv3d}


def convolution_class(dims: int) -> type[nn.Conv1d | nn.Conv2d | nn.Conv3d]:
    """Return the convolution for `dims` spatial dimensions (1, 2 or 3)."""
    if dims == 1:
        return nn.Conv1d
    return nn.Conv2d if dims == 2 else nn.Conv3d


def convolve(x: Tensor, weight: Tensor, bias: Tensor | None = None, *, groups: int = 1) -> Tensor:
    """Return the convolution of `(B, C, *size)`, of 1 to 3 spatial dimensions, with these weights."""
    return _CONVOLVE[x.ndim](x, weight, bias, groups=groups)


def interpolated(x: Tensor, size: Sequence[int]) -> Tensor:
    """Return `(B, C, *size)` at another size, interpolated linearly in its 1 to 3 spatial dimensions."""
    return functional.interpolate(x, size=tuple(size), mode=_MODES[x.ndim], align_corners=False)


def check_shapes(features: Sequence[Tensor], channels: Sequence[int], dims: int | None = None) -> None:
    """Check that feature maps can be fused; nothing is broadcast silently.

    Args:
        features: Maps `(B, C_i, *size_i)`; sizes may differ.
        channels: The channels C_i that they must have, one entry a map.
        dims: Spatial dimensions that they must have; `None` for any of 1 to 3.

    Raises:
        SpecError: Another number of maps, other channels, another batch, an empty map, another number of
            dimensions, or a map of a single position beside larger ones (that is a gate, not a feature
            map). The message names every shape.
    """
    shapes = [tuple(feature.shape) for feature in features]
    if len(shapes) != len(channels):
        raise SpecError(
            f"this operator fuses {len(channels)} feature maps; got {len(shapes)}: {shapes}. "
            f"Pass {len(channels)}, or construct it for {len(shapes)}."
        )
    first = shapes[0]
    for shape, expected in zip(shapes, channels, strict=True):
        if len(shape) != len(first) or len(shape) not in _MODES or shape[0] != first[0] or 0 in shape:
            raise SpecError(
                f"feature maps must be non-empty (B, C, *size) of one batch; got {shapes}. "
                "Give all of them one B, as many spatial dimensions, and no size of 0."
            )
        if dims is not None and len(shape) != dims + 2:
            raise SpecError(
                f"this operator was built with dims={dims}, for (B, C, *size) of {dims + 2} dimensions; got {shapes}. "
                f"Construct it with dims={len(shape) - 2}."
            )
        if shape[1] != expected:
            raise SpecError(
                f"feature maps must have {tuple(channels)} channels; got {shapes}. "
                "Bring them to these by 1×1 convolutions, or construct the operator for the channels that they have."
            )
        if (math.prod(shape[2:]) == 1) != (math.prod(first[2:]) == 1):
            raise SpecError(f"a map of one position is not broadcast; got {shapes}. Upsample it first.")


def matched(
    features: Sequence[Tensor], channels: int | Sequence[int], inputs: int, dims: int | None = None
) -> tuple[Tensor, ...]:
    """Return the feature maps at the first one's size, after checking that they can be fused.

    Args:
        features: Maps `(B, C, *size_i)`; sizes may differ.
        channels: C of all of them, or the channels of each.
        inputs: How many maps there must be.
        dims: Spatial dimensions; `None` for any of 1 to 3.

    Raises:
        SpecError: The maps cannot be fused; see `check_shapes`.
    """
    if isinstance(channels, int) and _plainly_fit(features, channels, inputs, dims):
        return tuple(features)
    check_shapes(features, (channels,) * inputs if isinstance(channels, int) else channels, dims)
    size = features[0].shape[2:]
    return tuple(feature if feature.shape[2:] == size else interpolated(feature, size) for feature in features)


def _plainly_fit(features: Sequence[Tensor], channels: int, inputs: int, dims: int | None) -> bool:
    """Return whether maps are of one non-empty shape as announced: the usual case, decided in microseconds."""
    if len(features) != inputs:
        return False
    shape = features[0].shape
    known = len(shape) in _MODES if dims is None else len(shape) == dims + 2
    return known and shape[1] == channels and 0 not in shape and all(x.shape == shape for x in features[1:])


class Aligned(nn.Module):
    """An operator behind 1×1 convolutions that bring its inputs to the channels it works on.

    `op(P_1 x_1, …, P_N x_N)`, where `P_i` is a 1×1 convolution without bias, or nothing where `x_i` has
    the channels already. It works at the input's own resolution, before any interpolation.
    `(B, C_i, *size_i), … -> (B, out_channels, *size_1)`.

    Args:
        op: The operator, on `out_channels` channels.
        in_channels: Channels of each input.
        out_channels: Channels after alignment.
        dims: Spatial dimensions.

    Raises:
        SpecError: The inputs are not those announced, or cannot be fused; see `check_shapes`.
    """

    def __init__(self, op: nn.Module, in_channels: Sequence[int], out_channels: int, dims: int = 2) -> None:
        super().__init__()
        self.op = op
        self.in_channels = tuple(in_channels)
        self.dims = dims
        conv = convolution_class(dims)
        self.projections = nn.ModuleList(
            nn.Identity() if channels == out_channels else conv(channels, out_channels, 1, bias=False)
            for channels in in_channels
        )

    def forward(self, *features: Tensor) -> Tensor:
        """Project every input, then fuse."""
        check_shapes(features, self.in_channels, self.dims)
        projected = [project(x) for project, x in zip(self.projections, features, strict=True)]
        fused: Tensor = self.op(*projected)
        return fused


def alignment_cost(in_channels: Sequence[int], out_channels: int, sizes: Sequence[Sequence[int]]) -> Cost:
    """Return the cost of the projections of `Aligned`."""
    return sum(
        (
            convolution(channels, out_channels, math.prod(size))
            for channels, size in zip(in_channels, sizes, strict=True)
            if channels != out_channels
        ),
        Cost(),
    )
