"""Networks of the search that were retrained, each with each: which is better, over new seeds and new test images?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from reports.comparison import Looks, Outcome, compare
from reports.comparison.arrays import LEAST_IMAGES, LEAST_SEEDS
from reports.comparison.comparing import CONFIDENCE, contrast
from reports.measures import Measure
from reports.retrained.arm import Arm
from reports.retrained.arms import arms, seed_range
from reports.retrained.margin import verdict_margin
from reports.run.catalog import Catalog
from reports.run.run import RunRecord

__all__ = ["PairInterval", "Retrained", "RetrainedNetwork", "retrained_networks"]


@dataclass(frozen=True, slots=True)
class RetrainedNetwork:
    """A network under one recipe.

    Args:
        id: Id of its architecture.
        recipe: Name of the recipe.
        seeds: How many seeds it was trained on.
        images: Test images.
        mean: The test measure, the mean over seeds and images.
    """

    id: str
    recipe: str
    seeds: int
    images: int
    mean: float


@dataclass(frozen=True, slots=True)
class PairInterval:
    """The difference of two networks in the test measure, the first minus the second, by itself.

    Args:
        first: Place of the one among the networks.
        second: Place of the other.
        low: Lower end of the 95 % interval of the difference that new seeds and new images would show.
        high: Its upper end.
        outcome: Whether the first is `better`, the `same`, `worse`, or that is `undecided`.
    """

    first: int
    second: int
    low: float
    high: float
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Retrained:
    """What is known of retrained networks, two by two.

    Args:
        networks: Those of the catalog, those of the run's own recipe first.
        pairs: Intervals of all pairs under the same recipe that have seeds and images enough for one.
    """

    networks: tuple[RetrainedNetwork, ...] = ()
    pairs: tuple[PairInterval, ...] = ()


def retrained_networks(run: RunRecord, catalog: Catalog) -> Retrained:
    """Return what is known of the catalog's networks that were retrained.

    An interval is of its pair alone: it makes no allowance for how many pairs are looked at. It does for how often one
    looked before the last seed was trained.

    Raises:
        RunError: What the test images got is missing or damaged; the message names the file.
        DataError: Networks were tested on different images.
    """
    there = {entry.id for entry in catalog.entries}
    found = [arm for arm in arms(run) if arm.id in there]
    seeds, margin = seed_range(run), verdict_margin(run)
    looks = None if seeds is None else Looks(*seeds, margin=margin)
    networks = tuple(
        RetrainedNetwork(arm.id, arm.recipe, len(arm.seeds), arm.scores.shape[1], arm.mean) for arm in found
    )
    return Retrained(networks, tuple(_pairs(found, run.quality, margin, looks)))


def _pairs(found: Sequence[Arm], quality: Measure, margin: float, looks: Looks | None) -> list[PairInterval]:
    places = combinations(range(len(found)), 2)
    return [
        _interval(first, second, found, quality, margin, looks)
        for first, second in places
        if found[first].recipe == found[second].recipe and _enough(found[first]) and _enough(found[second])
    ]


def _enough(arm: Arm) -> bool:
    return len(arm.seeds) >= LEAST_SEEDS and arm.scores.shape[1] >= LEAST_IMAGES


def _interval(
    first: int, second: int, found: Sequence[Arm], quality: Measure, margin: float, looks: Looks | None
) -> PairInterval:
    upwards = -quality.sign
    one, other = (upwards * found[place].scores for place in (first, second))
    result = compare(one, other, margin=margin, confidence=CONFIDENCE)
    if looks is not None:
        result = contrast(result.parts, margin, float(looks.confidence_now(result.parts)))
    low, high = sorted((upwards * result.low, upwards * result.high))
    return PairInterval(first, second, low, high, result.outcome)
