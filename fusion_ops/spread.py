"""How a weight of an operator varies: between channels, between images, between the positions of an image."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["BINS", "HistogramTally", "Spread", "SpreadTally"]

BINS = 200


@dataclass(frozen=True, slots=True)
class Spread:
    """Mean and variance of a weight `w[b, c, p]` of B images, C channels and P positions.

    With `m[b, c]` the mean over the positions of an image and `m[c]` that over the images,

        Var(w) = Var_c(m[c]) + E_c Var_b(m[b, c]) + E_bc Var_p(w[b, c, p])
                 `channels`    `images`             `positions`

    exactly, all of them variances of the whole population (divided by the count). With `constants` in its place, a
    weight is off by `√(images + positions)` on average; what a pattern of positions that is alike in all images adds
    counts as `positions`. Images of different size count alike.

    Args:
        constants: `m[c]`, of every channel.
        images: Variance between images.
        positions: Variance between positions of an image.
    """

    constants: tuple[float, ...]
    images: float
    positions: float

    @property
    def mean(self) -> float:
        """Mean over everything."""
        return math.fsum(self.constants) / len(self.constants)

    @property
    def channels(self) -> float:
        """Variance between channels, the part that constants have too."""
        return math.fsum((constant - self.mean) ** 2 for constant in self.constants) / len(self.constants)

    @property
    def std(self) -> float:
        """Standard deviation over everything."""
        return math.sqrt(self.channels + self.images + self.positions)

    @property
    def varying(self) -> float:
        """Standard deviation around the channel's mean: 0 where the weight is constant per channel."""
        return math.sqrt(self.images + self.positions)

    def shares(self) -> dict[str, float]:
        """Return the shares of the variance by `channels`, `images` and `positions`; all 0 where there is none."""
        parts = {"channels": self.channels, "images": self.images, "positions": self.positions}
        whole = math.fsum(parts.values())
        return {name: part / whole if whole else 0.0 for name, part in parts.items()}


class SpreadTally:
    """Adds up what a `Spread` is calculated from, batch by batch; keeps 3 numbers a channel."""

    def __init__(self) -> None:
        self._images = 0
        self._sums = torch.zeros(3, 0)

    def add(self, weight: Tensor, batch: int) -> None:
        """Take in the weights of some images.

        Args:
            weight: What can be broadcast over `(B, C, *size)`: a number, `(1 or B, 1 or C, …)`.
            batch: B.
        """
        precise = weight.detach().to(torch.promote_types(weight.dtype, torch.float32))
        flat = precise.reshape((*weight.shape[:2], -1) if weight.ndim > 1 else (1, 1, -1))
        within, mean = (part.double().expand(batch, -1) for part in torch.var_mean(flat, dim=2, correction=0))
        sums = torch.stack([mean.sum(dim=0), mean.square().sum(dim=0), within.sum(dim=0)]).cpu()
        self._sums = self._sums + sums if self._images else sums
        self._images += batch

    def spread(self) -> Spread:
        """Return the spread over all images so far, of which there must be one."""
        mean, square, within = self._sums / self._images
        between = (square - mean.square()).clamp(min=0)  # rounding takes it below 0
        return Spread(tuple(mean.tolist()), float(between.mean()), float(within.mean()))


class HistogramTally:
    """Counts the values of a weight in `BINS` bins of one width from 0 to N, batch by batch.

    What lies beyond is counted in the first or the last one.

    Args:
        inputs: N, what the weights of all inputs sum to.
    """

    def __init__(self, inputs: int) -> None:
        self._inputs = inputs
        self._shares = torch.zeros(BINS, dtype=torch.float64)
        self._images = 0

    def add(self, weight: Tensor, batch: int) -> None:
        """Take in the weights of some images; see `SpreadTally.add`."""
        values = weight.detach().float().clamp(0, self._inputs)
        counts = torch.histc(values, BINS, 0, self._inputs).double().cpu()
        self._shares += batch * counts / counts.sum()
        self._images += batch

    def shares(self) -> tuple[float, ...]:
        """Return the share of each bin, of every channel and position of all images so far."""
        return tuple((self._shares / self._images).tolist())
