"""Global pooling, a batch normalisation that bears what it leaves, one value per channel, and a norm over channels."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from fusion_ops.spelling import is_plain

__all__ = [
    "GlobalAverage",
    "PooledBatchNorm1d",
    "PooledBatchNorm2d",
    "PooledBatchNorm3d",
    "batch_norm_class",
    "inverse_rms",
]


_LEAST = 1e-5


class GlobalAverage(nn.Module):
    """The mean over all positions: `(B, C, *size) -> (B, C, 1, …)`, for 1 to 3 spatial dimensions."""

    def forward(self, x: Tensor) -> Tensor:
        """Average over the spatial dimensions and keep them at size 1.

        The gradient of a sum is broadcast, that of `mean` is written out; but in half precision only `mean` cannot
        overflow.
        """
        places = tuple(range(2, x.ndim))
        if x.dtype in (torch.float16, torch.bfloat16) or is_plain():
            return x.mean(dim=places, keepdim=True)
        return x.sum(dim=places, keepdim=True) / math.prod(x.shape[2:])


class _PooledBatchNorm(_BatchNorm):
    """Batch normalisation that trains with a single value per channel.

    The variance of one value is 0, so that nothing can be learned from it about the batch. Where training
    meets it (batch size 1 after global pooling), the value is normalised with the running statistics, as
    in evaluation, and these stay as they are. Otherwise, and in its state dict, this is PyTorch's own.
    """

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name in the base class
        """Normalise `(B, C, *size)` over everything but the channels."""
        if self.training and input.numel() == input.shape[1]:
            return functional.batch_norm(
                input,
                self.running_mean,
                self.running_var,
                self.weight,
                self.bias,
                training=False,
                eps=self.eps,
            )
        return super().forward(input)


class PooledBatchNorm1d(_PooledBatchNorm, nn.BatchNorm1d):
    """`nn.BatchNorm1d` that trains with one value per channel: `(B, C, L) -> (B, C, L)`."""


class PooledBatchNorm2d(_PooledBatchNorm, nn.BatchNorm2d):
    """`nn.BatchNorm2d` that trains with one value per channel: `(B, C, H, W) -> (B, C, H, W)`."""


class PooledBatchNorm3d(_PooledBatchNorm, nn.BatchNorm3d):
    """`nn.BatchNorm3d` that trains with one value per channel: `(B, C, D, H, W) -> (B, C, D, H, W)`."""


def batch_norm_class(dims: int) -> type[PooledBatchNorm1d | PooledBatchNorm2d | PooledBatchNorm3d]:
    """Return the batch normalisation for `dims` spatial dimensions (1, 2 or 3)."""
    if dims == 1:
        return PooledBatchNorm1d
    return PooledBatchNorm2d if dims == 2 else PooledBatchNorm3d


def inverse_rms(v: Tensor) -> Tensor:
    """Return `1 / √(mean_c v_c² + ε)` for every position, ε = 10⁻⁵: `(B, C, *size) -> (B, 1, *size)`.

    ε keeps the norm of an empty position apart from 0.
    """
    return torch.rsqrt(v.square().mean(dim=1, keepdim=True) + _LEAST)
