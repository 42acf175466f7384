"""Attainment surfaces of two objectives: what at least k of n repeats reached."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reports.fronts.dominance import Points

__all__ = ["Surface", "attained", "surfaces"]


@dataclass(frozen=True, slots=True)
class Surface:
    """A step line: everything behind it was reached by at least `k` of the repeats.

    Args:
        name: `best`, `median` or `worst`.
        k: How many repeats reached it.
        points: `(n, 2)`, its corners, by the first objective; smaller is better in both.
    """

    name: str
    k: int
    points: Points


def attained(fronts: Sequence[Points], k: int) -> Points:
    """Return the corners of the surface that at least `k` fronts attain, `(n, 2)`, smaller is better.

    A front attains z when one of its points is no worse than z in both objectives. At each value x of the first
    objective, the surface is at the k-th smallest of the fronts' best second values among points up to x
    (Fonseca and Fleming 1996). It is empty where fewer than `k` fronts have a point.

    Args:
        fronts: `(n_i, 2)` each; points that are not finite are left out.
        k: From 1 to the number of fronts.
    """
    known = [front[np.isfinite(front).all(axis=1)] for front in fronts]
    across = np.unique(np.concatenate([front[:, 0] for front in known])) if known else np.empty(0)
    best = np.stack([_best_up_to(front, across) for front in known]) if known else np.empty((0, 0))
    level = np.sort(best, axis=0)[k - 1] if len(best) else np.empty(0)
    lower = np.isfinite(level) & (level < np.concatenate(([np.inf], np.minimum.accumulate(level)[:-1])))
    out: Points = np.stack([across[lower], level[lower]], axis=1)
    return out


def surfaces(fronts: Sequence[Points]) -> tuple[Surface, ...]:
    """Return what the best of the repeats reached, at least half of them, and all of them.

    Two repeats have no median apart from the best; a single one has no surfaces.
    """
    count = len(fronts)
    if count < 2:
        return ()
    levels = {"best": 1, "median": math.ceil(count / 2), "worst": count}
    if count == 2:
        del levels["median"]
    return tuple(Surface(name, k, attained(fronts, k)) for name, k in levels.items())


def _best_up_to(front: Points, across: Points) -> Points:
    """Return the smallest second value among the points whose first one is no larger than each of `across`."""
    ordered = front[np.argsort(front[:, 0], kind="stable")]
    lowest = np.minimum.accumulate(ordered[:, 1])
    until = np.searchsorted(ordered[:, 0], across, side="right")
    return np.where(until > 0, np.append(lowest, np.inf)[until - 1], np.inf)
