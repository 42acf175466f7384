"""The interval of a gain that new seeds and new images would show.

    gain ± t(f) · standard error,    f = V² / Σ part² / freedom of the part

Student's t with degrees of freedom by Satterthwaite, "An approximate distribution of estimates of variance
components", 1946, and Welch, "The generalization of Student's problem when several different population variances are
involved", 1947. Two classical tests are its ends: where images do not matter it is Welch's of the seeds' means, where
seeds do not matter the paired one of the images.

Where scores are right or wrong, a network that is rarely wrong differs the more between trainings the more often it is
wrong, and is wrong on no fewer than no images. So each network's own share of the standard error, s, is laid off on the
scale on which its spread is alike everywhere, the arcsine of the root of its error rate e, and cut where no image or
every image is wrong:

    sin²(arcsin √e ± t s / (2 √(e (1 − e))))

Both networks' ends and the images' share are put together as squares: the lower end lies below the gain by

    √(t² images + (the reference's fewer errors)² + (the candidate's further errors)²)

So Newcombe, "Interval estimation for the difference between independent proportions", 1998, method 10, and, for any
limits, Zou and Donner, "Construction of confidence limits about effect measures: a general approach", 2008. Where t s
is small beside e and 1 − e it is gain ± t(f) · standard error again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from reports.comparison.components import Components

__all__ = ["ends", "half_width", "p_value"]

Floats = NDArray[np.float64]
STEPS = 16
QUARTER = np.pi / 2.0


def ends(parts: Components, confidence: float | Floats) -> tuple[Floats, Floats]:
    """Return the lower and the upper end of the interval, in units of the score, of one study or of many.

    Args:
        parts: The components.
        confidence: Wanted coverage, for example 0.95.
    """
    quantile = scipy.special.stdtrit(parts.freedom, 0.5 + confidence / 2.0)
    if parts.errors is None:
        below = above = quantile * np.sqrt(parts.variance)
    else:
        below, above = _Reach.of(parts, parts.errors).at(quantile)
    return parts.gain - below, parts.gain + above


def half_width(parts: Components, confidence: float | Floats) -> Floats:
    """Return half the width of the symmetric interval, which planning reckons with before there are scores.

    Args:
        parts: The components.
        confidence: Wanted coverage, for example 0.95.
    """
    width: Floats = scipy.special.stdtrit(parts.freedom, 0.5 + confidence / 2.0) * np.sqrt(parts.variance)
    return width


def p_value(parts: Components) -> Floats:
    """Return 1 − the confidence of the interval that just reaches 0: two-sided."""
    size = np.abs(parts.gain)
    with np.errstate(divide="ignore", invalid="ignore"):
        if parts.errors is None:
            ratio = np.where(size == 0.0, 0.0, size / np.sqrt(parts.variance))
        else:
            ratio = _Reach.of(parts, parts.errors).quantile(parts.gain)
    p: Floats = 2.0 * scipy.special.stdtr(parts.freedom, -ratio)
    return p


@dataclass(frozen=True, slots=True)
class _Reach:
    """How far the interval reaches where scores are right or wrong.

    Args:
        images: The images' share of the squared standard error.
        rates: Share of wrong scores; candidate, reference.
        angles: arcsin √rate of both.
        turns: By how much the angle of each turns for a quantile of 1.
    """

    images: Floats
    rates: tuple[Floats, ...]
    angles: tuple[Floats, ...]
    turns: tuple[Floats, ...]

    @classmethod
    def of(cls, parts: Components, errors: tuple[Floats, Floats]) -> _Reach:
        """Return it. Half a score at least counts as wrong, and half a score as right: the scale has no width there."""
        own = parts.between_seeds[0] + parts.between_seeds[1]
        left = np.maximum(parts.variance - parts.shared, 0.0) / np.where(own > 0.0, own, 1.0)
        halves = [0.5 / (seeds * parts.images) for seeds in parts.seeds]
        rates = tuple(np.clip(rate, half, 1.0 - half) for rate, half in zip(errors, halves, strict=True))
        turns = tuple(
            np.sqrt(part * left / (rate * (1.0 - rate))) / 2.0
            for part, rate in zip(parts.between_seeds, rates, strict=True)
        )
        return cls(parts.shared, rates, tuple(np.arcsin(np.sqrt(rate)) for rate in rates), turns)

    def at(self, quantile: Floats) -> tuple[Floats, Floats]:
        """Return how far the ends lie below and above the gain, for a quantile of Student's t."""
        (candidate_fewer, candidate_more), (reference_fewer, reference_more) = (
            (
                rate - np.sin(np.maximum(angle - turn * quantile, 0.0)) ** 2,
                np.sin(np.minimum(angle + turn * quantile, QUARTER)) ** 2 - rate,
            )
            for rate, angle, turn in zip(self.rates, self.angles, self.turns, strict=True)
        )
        common = quantile**2 * self.images
        return (
            np.sqrt(common + reference_fewer**2 + candidate_more**2),
            np.sqrt(common + candidate_fewer**2 + reference_more**2),
        )

    def quantile(self, gain: Floats) -> Floats:
        """Return the quantile for which the end on the side of 0 reaches it.

        By false position (the Illinois form): the reach grows with the quantile, and hardly faster or slower. The
        images alone bound it.
        """
        size, upwards = np.abs(gain), gain > 0.0
        low, high = np.zeros_like(size), size / np.sqrt(self.images)
        short, long = -size, np.where(upwards, *self.at(high)) - size
        side = np.zeros_like(size)
        for _ in range(STEPS):
            width = long - short
            middle = np.where(width > 0.0, high - long * (high - low) / np.where(width > 0.0, width, 1.0), high)
            lacking = np.where(upwards, *self.at(middle)) - size
            under = lacking < 0.0
            short, long = (
                np.where(under, lacking, np.where(side > 0.0, short / 2.0, short)),
                np.where(under, np.where(side < 0.0, long / 2.0, long), lacking),
            )
            low, high = np.where(under, middle, low), np.where(under, high, middle)
            side = np.where(under, -1.0, 1.0)
        return middle
