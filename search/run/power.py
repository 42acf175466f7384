"""What a comparison of two networks can show, before anything is trained: by the run's own retrainings, or assumed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy
from numpy.typing import NDArray

from fusion_ops.errors import DataError
from reports.comparison import Spread, detectable, images_needed, of_the_best, seeds_needed
from reports.comparison.arrays import LEAST_IMAGES, LEAST_SEEDS
from reports.comparison.comparing import CONFIDENCE
from reports.comparison.power import POWER
from reports.comparison.sequential import Looks
from reports.measures import Measure
from reports.retrained.outcomes import Outcomes
from reports.retrained.record import RetrainRecord

__all__ = [
    "Power",
    "assumed_power",
    "gain_of_single_trainings",
    "looks_at",
    "looks_of",
    "measured_powers",
    "power",
]

HALF_A_POINT = 0.005


@dataclass(frozen=True, slots=True)
class Power:
    """What a comparison of two networks can show with 80 % power.

    Args:
        gain: The smallest gain that it can show.
        seeds: Least and most seeds of each network that are asked for.
        images: Test images.
        seeds_for_half: Seeds, fixed beforehand, that would show a gain of half a point with these images; `None` for
            over 100.
        images_for_half: Test images that would show it with these seeds; `None` for over ten million.
        networks: How many retrained networks it was measured on; 0 where it is assumed.
        recipe: Of a measured one, the recipe.
    """

    gain: float
    seeds: tuple[int, int]
    images: int
    seeds_for_half: int | None
    images_for_half: int | None
    networks: int = 0
    recipe: str = ""


def measured_powers(
    outcomes: Mapping[tuple[str, str], Outcomes], record: RetrainRecord, quality: Measure, margin: float
) -> tuple[Power, ...]:
    """Return for each recipe what can be shown, by the variance between the run's own retrainings.

    A recipe of which no network has two seeds yet is left out, and so is a measure that is no mean over images.
    """
    looks = looks_of(record, margin)
    found = []
    for recipe in record.recipes:
        arrays = [one.values.scores(quality.name) for one in outcomes.values() if one.recipe == recipe]
        if (spread := _pooled(arrays)) is not None:
            networks = sum(len(array) >= LEAST_SEEDS for array in arrays)
            shown = power(spread, looks, record.test_images, record.seeds)
            found.append(replace(shown, networks=networks, recipe=recipe))
    return tuple(found)


def assumed_power(accuracy: float, images: int, looks: Looks, seeds: tuple[int, int]) -> Power | None:
    """Return what can be shown at best of networks with an accuracy, by the assumptions of `Spread.assumed`.

    `None` where the images are too few for any comparison.
    """
    return None if images < LEAST_IMAGES else power(_assumed(accuracy, images), looks, images, seeds)


def gain_of_single_trainings(accuracy: float, images: int) -> float:
    """Return the smallest difference that a single training of each network can show at best, with 80 % power.

    `(z₀.₉₇₅ + z₀.₈) √((σ²(image difference) + 2 σ²(rest)) / N)`, with the variances of `Spread.assumed`; that seeds
    differ by more shows no single training.
    """
    spread = _assumed(accuracy, images)
    error = math.sqrt((spread.image + 2 * spread.rest) / images)
    return float(scipy.special.ndtri((1 + CONFIDENCE) / 2) + scipy.special.ndtri(POWER)) * error


def power(spread: Spread, looks: Looks, images: int, seeds: tuple[int, int]) -> Power:
    """Return what a comparison can show of networks with this spread, however often one looks.

    Args:
        spread: Variances of single scores.
        looks: At how many seeds one looks, or has looked, and with which confidence and margin.
        images: Test images.
        seeds: Least and most seeds that are asked for now.
    """
    return Power(
        detectable(spread, seeds=seeds[1], images=images, looks=looks),
        seeds,
        images,
        seeds_needed(HALF_A_POINT, spread, images=images, margin=looks.margin, confidence=looks.confidence),
        images_needed(HALF_A_POINT, spread, seeds=seeds[1], looks=looks),
    )


def looks_of(record: RetrainRecord, margin: float) -> Looks:
    """Return how the verdict looks: at all that was ever asked for, at the best of so many finalists."""
    finalists = sum(one.plays("finalist") and not one.plays("original") for one in record.participants)
    return looks_at(record.looked or record.seeds, margin, finalists)


def looks_at(seeds: tuple[int, int], margin: float, finalists: int) -> Looks:
    """Return how the verdict looks at the best of so many finalists."""
    return Looks(*seeds, margin=margin, confidence=of_the_best(CONFIDENCE, finalists))


def _pooled(arrays: Sequence[NDArray[np.float64]]) -> Spread | None:
    """Return the variances of some networks' scores; `None` where they show none, or have no value an image."""
    try:
        return Spread.pooled(arrays)
    except DataError:
        return None


def _assumed(accuracy: float, images: int) -> Spread:
    """Return what is assumed of an accuracy, or of the nearest one that the images can tell from 0 and 1."""
    return Spread.assumed(min(max(accuracy, 0.5 / images), 1 - 0.5 / images))
