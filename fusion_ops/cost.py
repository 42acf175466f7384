"""Exact costs, known before any tensor exists."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Cost", "batch_norm", "convolution"]


@dataclass(frozen=True, slots=True)
class Cost:
    """What a network or a part of it costs.

    Args:
        params: Trainable parameters.
        flops: 2 × multiply-adds of the convolutions and matrix products for one input (batch size 1), as
            `torch.utils.flop_counter.FlopCounterMode` counts them. Element-wise work is not counted.
    """

    params: int = 0
    flops: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.params + other.params, self.flops + other.flops)

    def __mul__(self, times: int) -> Cost:
        return Cost(self.params * times, self.flops * times)

    __rmul__ = __mul__

    def measures(self) -> dict[str, float]:
        """Return the costs by the names that objectives and constraints give them."""
        return {"params": float(self.params), "flops": float(self.flops)}


def convolution(
    in_channels: int,
    out_channels: int,
    positions: int,
    *,
    kernel: int = 1,
    groups: int = 1,
    bias: bool = False,
) -> Cost:
    """Return the cost of a convolution (or, with `kernel=1`, of a linear layer).

    Args:
        in_channels: Channels read.
        out_channels: Channels written.
        positions: Positions of the *output* per image, H × W.
        kernel: Taps of the kernel, for example 9 for 3 × 3.
        groups: Groups of the convolution.
        bias: Whether it has a bias (a parameter, but no multiply-add).
    """
    weights = in_channels // groups * out_channels * kernel
    return Cost(weights + (out_channels if bias else 0), 2 * weights * positions)


def batch_norm(channels: int) -> Cost:
    """Return the cost of a batch normalisation with scale and shift."""
    return Cost(2 * channels, 0)
