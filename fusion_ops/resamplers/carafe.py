"""`carafe`: every position has a kernel of its own, predicted from the content, that reassembles its neighbourhood.

Wang et al., "CARAFE: Content-Aware ReAssembly of FEatures" (ICCV 2019), arXiv 1905.02188. Parameters have the names of
the published code. Apart from the paper: the compressed channels are a quarter of C (the paper's 64 of 256), at most
64; what lies beyond an edge is the edge, not 0; and the kernels start as those of `bilinear` but for 2 % of their
weight, not as the mean of the neighbourhood. Where a weight is 0 a softmax has no gradient: hence these 2 %.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from fusion_ops.cost import Cost, convolution
from fusion_ops.resamplers.resampler import FactorResampler, register_resampler
from fusion_ops.spelling import is_plain

__all__ = ["Carafe"]

COMPRESSED = 64
KERNEL = 5
SMALLEST = 1e-3


@register_resampler("carafe")
class Carafe(FactorResampler):
    """Reassembles the 5 × 5 neighbourhood: `y[i] = Σ_n softmax_n(E(W x))[i, n] · x[⌊i/f⌋ + n]`.

    W is a 1×1 convolution to `c = min(64, ⌈C/4⌉)` channels, E a 3×3 convolution to 25 f²; all channels share a kernel.
    `(B, C, h, w), (H, W) -> (B, C, H, W)`. `Cc + c + 25f²(9c + 1)` parameters. Starts near `bilinear`.

    Args:
        channels: C.
        factor: f.

    Raises:
        SpecError: An argument is out of its range, or a map is not of the sizes that f relates.
    """

    formula = "y[i] = Σ_n softmax_n(E(W x))[i, n]·x[⌊i/f⌋ + n],  n in 5 × 5"

    def __init__(self, channels: int, factor: int) -> None:
        super().__init__(channels, factor)
        compressed = _compressed(channels)
        self.channel_compressor = nn.Conv2d(channels, compressed, 1)
        self.content_encoder = nn.Conv2d(compressed, KERNEL**2 * factor**2, 3, padding=1)
        nn.init.normal_(self.content_encoder.weight, std=SMALLEST)
        self.content_encoder.bias = nn.Parameter((_bilinear_kernels(factor) + SMALLEST).log().flatten())

    def enlarge(self, x: Tensor) -> Tensor:
        """Return the map f times as high and as wide."""
        logits = self.content_encoder(self.channel_compressor(x)).unflatten(1, (KERNEL**2, self.factor**2))
        kernels = torch.softmax(logits, dim=1).permute(0, 3, 4, 1, 2)  # (B, h, w, 25, f²)
        maps = torch.matmul(_neighbourhoods(x), kernels.to(x.dtype))  # (B, h, w, C, f²)
        parts = maps.permute(0, 3, 4, 1, 2).flatten(1, 2)
        if is_plain():
            parts = parts.contiguous()  # ExecuTorch cuts no map whose channels lie together in memory
        return functional.pixel_shuffle(parts, self.factor)

    @classmethod
    def cost(cls, channels: int, factor: int, positions: int) -> Cost:
        """Return the exact cost of both convolutions, and of the reassembly."""
        compressed, kernels = _compressed(channels), KERNEL**2 * factor**2
        predicted = convolution(channels, compressed, positions, bias=True)
        predicted += convolution(compressed, kernels, positions, kernel=9, bias=True)
        return predicted + Cost(0, 2 * channels * kernels * positions)


def _compressed(channels: int) -> int:
    return min(COMPRESSED, -(-channels // 4))


def _neighbourhoods(x: Tensor) -> Tensor:
    """Return the 5 × 5 values around every position: `(B, C, h, w) -> (B, h, w, C, 25)`."""
    height, width = x.shape[2:]
    padded = functional.pad(x, [KERNEL // 2] * 4, mode="replicate")
    shifted = [
        padded[:, :, row : row + height, column : column + width] for row in range(KERNEL) for column in range(KERNEL)
    ]
    return torch.stack(shifted, dim=-1).permute(0, 2, 3, 1, 4)


def _bilinear_kernels(factor: int) -> Tensor:
    """Return by what bilinear interpolation weighs the neighbourhood, for each of f × f positions: `(25, f²)`."""
    places = (torch.arange(factor) + 0.5) / factor - 0.5
    offsets = torch.arange(KERNEL) - KERNEL // 2
    line = (1 - (places[None] - offsets[:, None]).abs()).clamp(min=0)  # (5, f)
    return torch.einsum("ni,mj->nmij", line, line).reshape(KERNEL**2, factor**2)
