"""What repeated looks can show: studies simulated seed by seed, each looked at as a plan looks at it."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from reports.comparison.components import Components
from reports.comparison.interval import half_width
from reports.comparison.sequential import Looks
from reports.comparison.spread import Spread

__all__ = ["gains_shown"]

Floats = NDArray[np.float64]
STUDIES = 10_000


def gains_shown(spread: Spread, looks: Looks, *, seeds: int, images: int) -> Floats:
    """Return, for each of many studies without a gain, the smallest true gain by which one of its looks says `better`.

    A true gain is shown by the share of the studies whose number is smaller; so the gain that is shown with a wanted
    power is a quantile of these numbers. Looks are at as many seeds of both networks, from the first to `seeds`. The
    studies are the same at every call: normal effects of images and of trainings, 10,000 of them, so that a power has a
    standard error of half a point at most.

    Args:
        spread: Variances of single scores.
        looks: How one looks.
        seeds: Of each of both networks at the last look that counts.
        images: Test images.
    """
    of_images, of_trainings = _drawn(looks.most)
    deviation = np.sqrt(spread.seed + spread.rest / images)
    shown = np.full(STUDIES, np.inf)
    for number in range(looks.least, seeds + 1):
        trainings = deviation * of_trainings[:, :, :number]
        means, squares = trainings.mean(axis=-1), trainings.var(axis=-1, ddof=1) / number
        rest = np.array(spread.rest / number / images)
        parts = Components(
            gain=np.sqrt(spread.image / images) * of_images + means[0] - means[1],
            between_images=np.array(spread.image / images + 2 * rest),
            images_freedom=np.array(images - 1.0),
            between_seeds=(squares[0], squares[1]),
            rest=(rest, rest),
            seeds=(number, number),
            images=images,
        )
        half = half_width(parts, looks.confidence_now(parts))
        shown = np.minimum(shown, np.maximum(half, looks.margin - half) - parts.gain)
    return shown


@cache
def _drawn(seeds: int) -> tuple[Floats, Floats]:
    """Return standard normal effects of the images, and of both networks' trainings: `(2, studies, seeds)`."""
    rng = np.random.default_rng(0)
    return rng.standard_normal(STUDIES), rng.standard_normal((2, STUDIES, seeds))
