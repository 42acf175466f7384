"""1×1 convolutions as matrix products while a network trains on a CPU.

oneDNN's convolutions are made for many channels. Attention over feature maps is made of 1×1 convolutions of few: with
fewer than 8 of them, and after global pooling, much of their time goes into choosing and repacking. The same products
as `linear` (one position) and `baddbmm` (more) take a third to four fifths of it, forward and backward; see
`benchmarks/pointwise.py`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.conv import _ConvNd

__all__ = ["matrix_products"]


@contextmanager
def matrix_products(model: nn.Module) -> Iterator[None]:
    """Let the 1×1 convolutions of a network compute as matrix products within the context.

    Only plain ones on a CPU: of PyTorch's own classes, without padding and with one group, and only where the weights
    are smaller than the feature maps; of a stride, the positions that count are taken first. What they compute is the
    same up to rounding; state dict and modules stay. A network is evaluated, timed and exported as it is.
    """
    found = {part: type(part) for part in model.modules() if _is_pointwise(part)}
    for part, plain in found.items():
        part.__class__ = _CLASSES[plain]
    try:
        yield
    finally:
        for part, plain in found.items():
            part.__class__ = plain


class _Pointwise(_ConvNd):
    """A 1×1 convolution as a matrix product: `W x + b` at every position."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name in the base class
        """Multiply: `(B, C, *size) -> (B, C', *size)`, `size` in steps of the stride."""
        size = tuple(-(-length // step) for length, step in zip(input.shape[2:], self.stride, strict=False))
        positions = math.prod(size)
        if input.ndim != self.weight.ndim or not self._pays(positions) or torch.compiler.is_compiling():
            convolved: Tensor = super().forward(input)
            return convolved
        if set(self.stride) != {1}:
            steps: tuple[Any, ...] = (..., *(slice(None, None, step) for step in self.stride))
            input = input[steps]  # noqa: A001
        weight = self.weight.flatten(1)
        if positions == 1:
            return functional.linear(input.flatten(1), weight, self.bias).view(len(input), -1, *size)
        maps, weights = input.flatten(2), weight.expand(len(input), -1, -1)
        if self.bias is None:
            return torch.bmm(weights, maps).view(len(input), -1, *size)
        return torch.baddbmm(self.bias[:, None], weights, maps).view(len(input), -1, *size)

    def _pays(self, positions: int) -> bool:
        """Return whether the weights, which the backward pass keeps once an image, are smaller than its maps."""
        return positions == 1 or self.weight.numel() <= positions * sum(self.weight.shape[:2])


_CLASSES: dict[type[nn.Module], type[_Pointwise]] = {
    plain: type(f"_Pointwise{plain.__name__}", (_Pointwise, plain), {}) for plain in (nn.Conv1d, nn.Conv2d, nn.Conv3d)
}


def _is_pointwise(part: nn.Module) -> bool:
    if not isinstance(part, _ConvNd) or type(part) not in _CLASSES:
        return False
    plain = part.groups == 1 and {*part.kernel_size, *part.dilation} == {1}
    on_cpu = part.weight.device.type == "cpu"
    return on_cpu and plain and (isinstance(part.padding, str) or not any(part.padding))
