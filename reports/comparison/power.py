"""The smallest difference that seeds and images can show, before anything is trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import scipy

from fusion_ops.errors import SpecError
from reports.comparison.arrays import LEAST_IMAGES, LEAST_SEEDS
from reports.comparison.components import Components
from reports.comparison.interval import half_width
from reports.comparison.paths import gains_shown
from reports.comparison.sequential import Looks
from reports.comparison.spread import Spread

__all__ = ["POWER", "detectable", "images_needed", "power_at", "seeds_needed"]

POWER = 0.8
QUANTILES = 24
MOST_SEEDS = 100
MOST_IMAGES = 10_000_000


def power_at(
    difference: float,
    spread: Spread,
    *,
    seeds: int,
    images: int,
    margin: float | None = None,
    confidence: float | None = None,
    looks: Looks | None = None,
) -> float:
    """Return the probability that a comparison comes out `better`.

    The probability is taken over what the comparison will see: a normal gain, and seeds' variances that are
    chi-squared. Where one looks repeatedly it is that of `better` at any look.

    Args:
        difference: The true gain, in units of the score.
        spread: Variances of single scores.
        seeds: Of each of both networks; with `looks` those of the look that is asked about.
        images: Test images.
        margin: Differences up to this are too small to matter; by default that of `looks`, else 0.0025.
        confidence: Of the interval, or of those of all looks together; by default that of `looks`, else 0.95.
        looks: How often one looks, where the number of seeds depends on what is seen: intervals are wider then. More
            `seeds` than its last look has are a further look.
    """
    _check(seeds, images)
    terms = _terms(seeds, margin, confidence, looks)
    if looks is not None:
        return float((gains_shown(spread, terms, seeds=seeds, images=images) < difference).mean())
    levels = (np.arange(QUANTILES) + 0.5) / QUANTILES
    squares = scipy.special.chdtri(seeds - 1, levels) / (seeds - 1)
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
    half = half_width(parts, terms.confidence)
    needed = np.maximum(half, terms.margin - half)
    return float(scipy.special.ndtr((difference - needed) / np.sqrt(spread.image / images + 2 * between)).mean())


def detectable(
    spread: Spread,
    *,
    seeds: int,
    images: int,
    power: float = POWER,
    margin: float | None = None,
    confidence: float | None = None,
    looks: Looks | None = None,
) -> float:
    """Return the smallest true gain that comes out `better` with the wanted power, in units of the score.

    Args:
        spread: Variances of single scores: `Spread.measured` or `Spread.pooled` of a run, or `Spread.assumed` of an
            accuracy.
        seeds: As in `power_at`.
        images: Test images.
        power: Probability to show it.
        margin: As in `power_at`.
        confidence: As in `power_at`.
        looks: As in `power_at`.
    """
    _check(seeds, images)
    if not 0.5 <= power < 1.0:
        raise SpecError(f"`power` must be at least 0.5 and less than 1; got {power}. 0.8 is the usual one.")
    terms = _terms(seeds, margin, confidence, looks)
    if looks is not None:
        return float(np.quantile(gains_shown(spread, terms, seeds=seeds, images=images), power))

    def lacking(difference: float) -> float:
        shown = power_at(
            difference, spread, seeds=seeds, images=images, margin=terms.margin, confidence=terms.confidence
        )
        return shown - power

    high = terms.margin + np.sqrt(spread.image / images + 2 * (spread.seed + spread.rest / images) / seeds)
    while lacking(high) < 0.0:
        high *= 2.0
    return float(scipy.optimize.brentq(lacking, 0.0, high, xtol=high * 1e-6))


def seeds_needed(
    difference: float,
    spread: Spread,
    *,
    images: int,
    margin: float | None = None,
    confidence: float | None = None,
    looks: Looks | None = None,
) -> int | None:
    """Return how many seeds of each network show a gain with 80 % power; `None`: over 100 with these images.

    With `looks` they are those of the last look, from the first one's on.
    """

    def enough(seeds: int) -> bool:
        until = None if looks is None else replace(looks, most=seeds)
        shown = power_at(
            difference, spread, seeds=seeds, images=images, margin=margin, confidence=confidence, looks=until
        )
        return shown >= POWER

    return _fewest(enough, LEAST_SEEDS if looks is None else looks.least, MOST_SEEDS)


def images_needed(
    difference: float,
    spread: Spread,
    *,
    seeds: int,
    margin: float | None = None,
    confidence: float | None = None,
    looks: Looks | None = None,
) -> int | None:
    """Return how many test images show a gain with 80 % power; `None`: over ten million with these seeds."""

    def enough(images: int) -> bool:
        shown = power_at(
            difference, spread, seeds=seeds, images=images, margin=margin, confidence=confidence, looks=looks
        )
        return shown >= POWER

    return _fewest(enough, LEAST_IMAGES, MOST_IMAGES)


def _fewest(enough: Callable[[int], bool], least: int, most: int) -> int | None:
    """Return the smallest number from `least` to `most` that is enough: as few are tried as may be."""
    low, high = least - 1, least
    while not enough(high):
        if high == most:
            return None
        low, high = high, min(2 * high, most)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _terms(seeds: int, margin: float | None, confidence: float | None, looks: Looks | None) -> Looks:
    """Return how one looks: once, or at these seeds, too."""
    looked = Looks(seeds, seeds)
    if looks is not None:
        looked = replace(looks, least=min(looks.least, seeds), most=max(looks.most, seeds))
    return replace(
        looked,
        margin=looked.margin if margin is None else margin,
        confidence=looked.confidence if confidence is None else confidence,
    )


def _check(seeds: int, images: int) -> None:
    if seeds < LEAST_SEEDS or images < LEAST_IMAGES:
        raise SpecError(f"a comparison needs 2 seeds and 2 images or more; got {seeds} and {images}. Plan for 3 seeds.")
