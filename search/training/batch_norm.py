"""Batch normalisation of small maps as that of a matrix, while a network trains on a CPU.

PyTorch's backward pass goes through the positions of one channel of one image at a time: over maps of 2 × 2 it takes
eight times as long as over the same values as a matrix of positions and channels, to which they are copied here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from fusion_ops.norm import PooledBatchNorm1d, PooledBatchNorm2d, PooledBatchNorm3d

__all__ = ["normalised_as_matrices"]

# From so many positions on the processor's vectors are full; so few values are normalised faster than they are copied.
POSITIONS, FEWEST = 16, 4096


@contextmanager
def normalised_as_matrices(model: nn.Module) -> Iterator[None]:
    """Let the batch normalisations of a network train on small maps as on matrices within the context.

    Only plain ones on a CPU: of PyTorch's own classes or of `fusion_ops`. What they compute is the same up to rounding;
    state dict and modules stay. A network is evaluated, timed and exported as it is.
    """
    found = {part: type(part) for part in model.modules() if type(part) in _CLASSES and _is_on_cpu(part)}
    for part, plain in found.items():
        part.__class__ = _CLASSES[plain]
    try:
        yield
    finally:
        for part, plain in found.items():
            part.__class__ = plain


class _AsMatrix(_BatchNorm):
    """A batch normalisation that sees small maps as a matrix: `(B, C, *size) -> (B · positions, C)`."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name in the base class
        """Normalise `(B, C, *size)` over everything but the channels."""
        super()._check_input_dim(input)  # type: ignore[no-untyped-call]
        positions = math.prod(input.shape[2:])
        if not (self.training and 1 < positions < POSITIONS and input.numel() >= FEWEST) or _is_compiled():
            return super().forward(input)
        images, channels = input.shape[:2]
        rows = super().forward(input.flatten(2).transpose(1, 2).reshape(-1, channels))
        return rows.view(images, positions, channels).transpose(1, 2).reshape(input.shape)

    def _check_input_dim(self, input: Tensor) -> None:  # noqa: A002
        """Take a matrix, too; what `forward` is given was checked before."""


_CLASSES: dict[type[nn.Module], type[_AsMatrix]] = {
    plain: type(f"_AsMatrix{plain.__name__}", (_AsMatrix, plain), {})
    for plain in (
        *(nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d),
        *(PooledBatchNorm1d, PooledBatchNorm2d, PooledBatchNorm3d),
    )
}


def _is_compiled() -> bool:
    return bool(torch.compiler.is_compiling())


def _is_on_cpu(part: nn.Module) -> bool:
    tensors = [*part.parameters(), *part.buffers()]
    return all(tensor.device.type == "cpu" for tensor in tensors)
