"""How often intervals hold the truth, and how often equal networks are told apart. Part of `verdict_quality.py`."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, stdtrit
from scipy.stats import binom, poisson
from verdict_worlds import Floats, World, missed, missed_by_images, missed_by_seeds, row, studies

from reports.comparison import miou_values
from reports.comparison.components import Components, components
from reports.comparison.interval import half_width

# Pixels predicted where they are not: quantiles of a Poisson number, which are drawn ten times as fast.
FURTHER = poisson.ppf((np.arange(4096) + 0.5) / 4096, 2.0)
COVERED = [
    World("floats", gain=0.1),
    World("floats, seeds 1×", gain=0.1, seed=(1, 1)),
    World("floats, seeds 10×", gain=0.1, seed=(10, 10)),
    World("floats, seeds 100×", gain=0.1, seed=(100, 100)),
    World("floats, seeds of one 10×", gain=0.1, seed=(10, 0)),
    World("90 %", 0.9, gain=0.01),
    World("90 %, seeds 3×", 0.9, gain=0.01, seed=(3, 3)),
    World("99 %", 0.99, gain=0.002),
    World("99 %, seeds 3×", 0.99, gain=0.002, seed=(3, 3)),
]
EQUAL = [
    World("identical, floats", own=0.0),
    World("identical, floats, seeds 3×", own=0.0, seed=(3, 3)),
    World("identical, 90 %", 0.9, own=0.0),
    World("identical, 90 %, seeds 3×", 0.9, own=0.0, seed=(3, 3)),
    World("identical, 99 %", 0.99, own=0.0),
    World("other images, 90 %", 0.9, own=1.0),
    World("other images, 90 %, seeds 3×", 0.9, own=1.0, seed=(3, 3)),
]


def grid(quick: bool) -> list[tuple[int, int, int]]:
    """Return seeds, images and studies."""
    counts = {200: 8_000, 1_000: 4_000, 10_000: 1_000}
    scale = 10 if quick else 1
    return [(seeds, images, count // scale) for images, count in counts.items() for seeds in (3, 5, 12)]


def coverage(quick: bool) -> list[dict[str, Any]]:
    """Return how often the interval holds the truth, a row for each world, seeds and images."""
    rows = []
    for number, world in enumerate(COVERED):
        for seeds, images, count in grid(quick):
            found = [missed(parts, world.gain) for parts in studies(world, count, seeds, images, number)]
            held = 1.0 - float(np.concatenate(found).mean())
            rows.append(row(world=world.name, seeds=seeds, images=images, studies=count, coverage=held))
    for seeds, images, count in grid(quick):
        rows.append(miou_row(min(count, 1_000), seeds, images))
    return rows


def miou_row(count: int, seeds: int, images: int) -> dict[str, Any]:
    """Return how often the interval of a difference of mean IoU holds the truth."""
    rng, held = np.random.default_rng(seeds * images), 0
    for _ in range(count):
        first, second = (miou_values(counts) for counts in both_segmented(rng, seeds, images))
        held += not bool(missed(components(first, second), true_miou_gain()))
    return row(world="mIoU of 4 classes", seeds=seeds, images=images, studies=count, coverage=held / count)


@cache
def true_miou_gain() -> float:
    """Return the true difference of mean IoU, from three million images that both networks see."""
    rng = np.random.default_rng(0)
    totals = [np.zeros((3, 4)), np.zeros((3, 4))]
    for _ in range(20):
        for total, counts in zip(totals, both_segmented(rng, 1, 150_000), strict=True):
            total += counts[0].sum(axis=0)
    first, second = ((hit / (predicted + there - hit)).mean() for hit, predicted, there in totals)
    return float(first - second)


def both_segmented(rng: np.random.Generator, seeds: int, images: int) -> list[Floats]:
    """Return the counts of candidate and reference on the same images."""
    difficulty, there = rng.standard_normal((images, 1)), presence(rng, images)
    return [segmented(rng, seeds, arm, difficulty, there) for arm in (0, 1)]


def presence(rng: np.random.Generator, images: int) -> Floats:
    """Return the pixels of each class; the last one is rare."""
    seen = rng.random((images, 4)) < np.array([1.0, 0.7, 0.5, 0.2])
    return np.where(seen, rng.integers(5, 100, (images, 4)), 0).astype(np.float64)


def segmented(rng: np.random.Generator, seeds: int, arm: int, difficulty: Floats, there: Floats) -> Floats:
    """Return counts (seeds, images, 3, 4) of a network."""
    level = 1.0 + 0.1 * (1 - arm) + 0.7 * difficulty
    share = ndtr(level + 0.5 * rng.standard_normal((seeds, *there.shape)))
    hit = np.floor(share * there)
    predicted = hit + FURTHER[rng.integers(0, len(FURTHER), hit.shape)] * (there > 0)
    return np.stack([hit, predicted, np.broadcast_to(there, hit.shape)], axis=2)


def wrong(quick: bool) -> list[dict[str, Any]]:
    """Return how often equal networks are told apart: by us, by seeds alone, by images alone."""
    rows = []
    for number, world in enumerate(EQUAL):
        for seeds, images, count in grid(quick):
            tests = (lambda parts: missed(parts, 0.0), missed_by_seeds, missed_by_images)
            found = [[test(parts) for test in tests] for parts in studies(world, count, seeds, images, 100 + number)]
            ours, by_seeds, by_images = (float(np.concatenate(column).mean()) for column in zip(*found, strict=True))
            rows.append(
                row(world=world.name, seeds=seeds, images=images, studies=count, wrong=ours, seeds_alone=by_seeds)
                | row(images_alone=by_images)
            )
    return rows


def rarely_wrong(quick: bool) -> list[dict[str, Any]]:
    """Return coverage where networks are wrong on few images, and seeds of both or of one alone differ.

    Beside it that of the symmetric interval with the same degrees of freedom, and with those of equal variances in both
    networks, 2 (S − 1).
    """
    rows = []
    worlds = [(gain, (3, 3)) for gain in (0.0, 0.002, 0.005)] + [
        (0.002, one) for one in ((3, 0), (0, 3), (10, 0), (0, 10))
    ]
    for number, (gain, seed) in enumerate(worlds):
        world = World(f"99 %, gain {gain}, seeds {seed[0]}× and {seed[1]}×", 0.99, gain=gain, seed=seed)
        for seeds, images, count in grid(quick):
            if images > 1_000:
                continue
            found = [
                [~missed(parts, world.gain), *(np.abs(parts.gain - world.gain) <= half for half in symmetric(parts))]
                for parts in studies(world, count, seeds, images, 300 + number)
            ]
            ours, alike, pooled = (float(np.concatenate(column).mean()) for column in zip(*found, strict=True))
            rows.append(
                row(world=world.name, seeds=seeds, images=images, studies=count, coverage=ours, symmetric=alike)
                | row(symmetric_pooled=pooled)
            )
    return rows


def symmetric(parts: Components) -> Iterator[NDArray[np.float64]]:
    """Yield half the widths of symmetric intervals: with our degrees of freedom, and with those of equal variances."""
    yield half_width(parts, 0.95)
    yield stdtrit(2.0 * (parts.seeds[0] - 1), 0.975) * np.sqrt(parts.variance)


def beyond(share: float, bound: float, count: int, cells: int) -> bool:
    """Return whether so high a share of studies is no chance if the true one is the bound: 5 % over all cells."""
    return float(binom.sf(round(share * count) - 1, count, bound)) < 1.0 - 0.95 ** (1.0 / cells)
