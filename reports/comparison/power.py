"""The smallest difference that seeds and images can show, before anything is trained."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import chdtri, ndtr

from fusion_ops.errors import SpecError
from reports.comparison.comparing import CONFIDENCE, MARGIN
from reports.comparison.components import Components
from reports.comparison.interval import half_width

__all__ = ["POWER", "Spread", "detectable", "images_needed", "power_at", "seeds_needed"]

POWER = 0.8
REST_SHARE = 0.6
IMAGE_SHARE = 0.1
QUANTILES = 24
MOST_SEEDS = 100
MOST_IMAGES = 10_000_000


@dataclass(frozen=True, slots=True)
class Spread:
    """Variances of the scores of a single image in a single training, in units of the score squared.

    Args:
        seed: Of a training as a whole, beyond what a finite test set makes of it.
        image: Of the images' differences between two networks.
        rest: Of what is left: whether just this training gets just this image right.
    """

    seed: float
    image: float
    rest: float

    def __post_init__(self) -> None:
        if min(self.seed, self.image, self.rest) < 0.0 or self.image + self.rest + self.seed == 0.0:
            raise SpecError(
                f"variances must be 0 or more, and not all 0; got {self}. `Spread.assumed(accuracy)` is a guess."
            )

    @classmethod
    def measured(cls, parts: Components) -> Spread:
        """Return the spread that a comparison shows, the mean of its two arms."""
        rest = sum(float(part) * seeds for part, seeds in zip(parts.rest, parts.seeds, strict=True)) / 2
        both = sum(float(part) * seeds for part, seeds in zip(parts.between_seeds, parts.seeds, strict=True)) / 2
        return cls(max(both - rest, 0.0), float(parts.images_only) * parts.images, rest * parts.images)

    @classmethod
    def assumed(cls, accuracy: float) -> Spread:
        """Return the spread to expect of networks with an accuracy, before any is trained.

        Assumed of the variance of being right, accuracy (1 − accuracy): six tenths are chance of the single training, a
        tenth lies in images which are harder for just one of the networks, the rest in images which are as hard for
        both; and trainings differ by no more than a finite test set makes of them (`seed` = 0). The last is the best
        case: short trainings can differ by several times as much, which only trainings can tell.

        Args:
            accuracy: Between 0 and 1.
        """
        if not 0.0 < accuracy < 1.0:
            raise SpecError(f"`accuracy` must lie between 0 and 1; got {accuracy}. 90 % is 0.9.")
        variance = accuracy * (1.0 - accuracy)
        return cls(0.0, variance * IMAGE_SHARE, variance * REST_SHARE)


def power_at(
    difference: float,
    spread: Spread,
    *,
    seeds: int,
    images: int,
    margin: float = MARGIN,
    confidence: float = CONFIDENCE,
) -> float:
    """Return the probability that a comparison comes out `better`.

    The probability is taken over what the comparison will see: a normal gain, and seeds' variances that are
    chi-squared.

    Args:
        difference: The true gain, in units of the score.
        spread: Variances of single scores.
        seeds: Of each of both networks.
        images: Test images.
        margin: Differences up to this are too small to matter.
        confidence: Of the interval.
    """
    _check(seeds, images)
    levels = (np.arange(QUANTILES) + 0.5) / QUANTILES
    squares = chdtri(seeds - 1, levels) / (seeds - 1)
    rest, between = spread.rest / seeds / images, (spread.seed + spread.rest / images) / seeds
    first, second = np.meshgrid(squares, squares)
    parts = Components(
        gain=np.array(difference),
        between_images=np.array(spread.image / images + 2 * rest),
        images_freedom=np.array(images - 1.0),
        between_seeds=(between * first, between * second),
        rest=(np.array(rest), np.array(rest)),
        seeds=(seeds, seeds),
        images=images,
    )
    half = half_width(parts, confidence)
    needed = np.maximum(half, margin - half)
    return float(ndtr((difference - needed) / np.sqrt(spread.image / images + 2 * between)).mean())


def detectable(
    spread: Spread,
    *,
    seeds: int,
    images: int,
    power: float = POWER,
    margin: float = MARGIN,
    confidence: float = CONFIDENCE,
) -> float:
    """Return the smallest true gain that comes out `better` with the wanted power, in units of the score.

    Args:
        spread: Variances of single scores: `Spread.measured` of a run, or `Spread.assumed` of an accuracy.
        seeds: Of each of both networks.
        images: Test images.
        power: Probability to show it.
        margin: Differences up to this are too small to matter.
        confidence: Of the interval.
    """
    _check(seeds, images)
    if not 0.5 <= power < 1.0:
        raise SpecError(f"`power` must be at least 0.5 and less than 1; got {power}. 0.8 is the usual one.")

    def lacking(difference: float) -> float:
        return power_at(difference, spread, seeds=seeds, images=images, margin=margin, confidence=confidence) - power

    high = margin + np.sqrt(spread.image / images + 2 * (spread.seed + spread.rest / images) / seeds)
    while lacking(high) < 0.0:
        high *= 2.0
    return float(brentq(lacking, 0.0, high, xtol=high * 1e-6))


def seeds_needed(difference: float, spread: Spread, *, images: int, margin: float = MARGIN) -> int | None:
    """Return how many seeds of each network show a gain with 80 % power; `None`: over 100 with these images."""
    for seeds in range(2, MOST_SEEDS + 1):
        if power_at(difference, spread, seeds=seeds, images=images, margin=margin) >= POWER:
            return seeds
    return None


def images_needed(difference: float, spread: Spread, *, seeds: int, margin: float = MARGIN) -> int | None:
    """Return how many test images show a gain with 80 % power; `None`: over ten million with these seeds."""

    def enough(images: int) -> bool:
        return power_at(difference, spread, seeds=seeds, images=images, margin=margin) >= POWER

    low, high = 1, 2
    while not enough(high):
        low, high = high, high * 2
        if high > MOST_IMAGES:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _check(seeds: int, images: int) -> None:
    if seeds < 2 or images < 2:
        raise SpecError(f"a comparison needs 2 seeds and 2 images or more; got {seeds} and {images}. Plan for 3 seeds.")
