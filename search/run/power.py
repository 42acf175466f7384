"""What a comparison of two networks can show, before anything is trained: by the run's own retrainings, or assumed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from fusion_ops.errors import DataError
from reports.comparison import Spread, detectable, images_needed, seeds_needed
from reports.comparison.arrays import LEAST_IMAGES, LEAST_SEEDS
from reports.comparison.comparing import CONFIDENCE
from reports.comparison.power import POWER
from reports.comparison.sequential import Looks
from reports.measures import Measure
from reports.retrain_record import RetrainRecord
from reports.test_outcomes import Outcomes

__all__ = ["Power", "assumed_power", "gain_of_single_trainings", "measured_powers", "power"]

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
    looks = _looks(record, margin)
    found = []
    for recipe in record.recipes:
        arrays = [one.values.scores(quality.name) for one in outcomes.values() if one.recipe == recipe]
        if (spread := _pooled(arrays)) is not None:
            networks = sum(len(array) >= LEAST_SEEDS for array in arrays)
            shown = power(spread, looks, record.test_images)
            found.append(replace(shown, seeds=record.seeds, networks=networks, recipe=recipe))
    return tuple(found)


def assumed_power(accuracy: float, images: int, seeds: tuple[int, int], margin: float) -> Power | None:
    """Return what can be shown at best of networks with an accuracy, by the assumptions of `Spread.assumed`.

    `None` where the images are too few for any comparison.
    """
    if images < LEAST_IMAGES:
        return None
    return power(_assumed(accuracy, images), Looks(*seeds, margin=margin), images)


def gain_of_single_trainings(accuracy: float, images: int) -> float:
    """Return the smallest difference that a single training of each network can show at best, with 80 % power.

    `(z₀.₉₇₅ + z₀.₈) √((σ²(image difference) + 2 σ²(rest)) / N)`, with the variances of `Spread.assumed`; that seeds
    differ by more shows no single training.
    """
    spread = _assumed(accuracy, images)
    error = math.sqrt((spread.image + 2 * spread.rest) / images)
    return float(ndtri((1 + CONFIDENCE) / 2) + ndtri(POWER)) * error


def power(spread: Spread, looks: Looks, images: int) -> Power:
    """Return what a comparison can show of networks with this spread, however often one looks.

    Args:
        spread: Variances of single scores.
        looks: From how many seeds to how many one looks, and what is too small to matter.
        images: Test images.
    """
    return Power(
        detectable(spread, seeds=looks.most, images=images, looks=looks),
        (looks.least, looks.most),
        images,
        seeds_needed(HALF_A_POINT, spread, images=images, margin=looks.margin),
        images_needed(HALF_A_POINT, spread, seeds=looks.most, looks=looks),
    )


def _looks(record: RetrainRecord, margin: float) -> Looks:
    """Return how one looks: what was looked at before counts, too."""
    least, most = record.seeds
    return Looks(min(least, *(record.looked or ())) if record.looked else least, most, margin=margin)


def _pooled(arrays: Sequence[NDArray[np.float64]]) -> Spread | None:
    """Return the variances of some networks' scores; `None` where they show none, or have no value an image."""
    try:
        return Spread.pooled(arrays)
    except DataError:
        return None


def _assumed(accuracy: float, images: int) -> Spread:
    """Return what is assumed of an accuracy, or of the nearest one that the images can tell from 0 and 1."""
    return Spread.assumed(min(max(accuracy, 0.5 / images), 1 - 0.5 / images))
