"""Hypervolume: how much of the objective space a front dominates, exactly, for any number of objectives.

Everything here minimises. The reference point bounds the space from the worse side.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from reports.fronts.dominance import Points, non_dominated, scaled

__all__ = ["contributions", "hypervolume", "shares"]

MARGIN = 0.1


def hypervolume(points: npt.ArrayLike, reference: npt.ArrayLike) -> float:
    """Return the volume that the points dominate within the reference point.

    Points that are no better than the reference in some objective, or that have a value which is not
    finite, add nothing.

    Args:
        points: `(n, m)`, smaller is better.
        reference: `(m,)`.
    """
    bound = np.asarray(reference, dtype=np.float64)
    values = np.asarray(points, dtype=np.float64).reshape(-1, len(bound))
    values = values[np.isfinite(values).all(axis=1) & (values < bound).all(axis=1)]
    return _volume(_front(values), bound)


def contributions(points: npt.ArrayLike, reference: npt.ArrayLike) -> Points:
    """Return for every point the volume that it alone adds to its front: what the front would lose.

    It is 0 for dominated points and for points that have an equal.

    Args:
        points: `(n, m)`, smaller is better.
        reference: `(m,)`.
    """
    bound = np.asarray(reference, dtype=np.float64)
    values = np.asarray(points, dtype=np.float64).reshape(-1, len(bound))
    out = np.zeros(len(values), dtype=np.float64)
    inside = non_dominated(values) & (values < bound).all(axis=1)
    for index in np.flatnonzero(inside):
        others = np.delete(values[inside], np.flatnonzero(inside).searchsorted(index), axis=0)
        # What the others dominate of this point's box.
        within = np.maximum(others, values[index])
        box = float(np.prod(bound - values[index]))
        out[index] = max(box - hypervolume(within, bound), 0.0)
    return out


def shares(points: npt.ArrayLike) -> Points:
    """Return the contributions as shares of the front's hypervolume, between 0 and 1.

    The objectives are scaled to [0, 1] over all finite points and bounded at 1.1, so that shares do not
    depend on units and the ends of the front count, too.

    Args:
        points: `(n, m)`, smaller is better.
    """
    values = np.array(points, dtype=np.float64)
    finite = np.isfinite(values).all(axis=1)
    out = np.zeros(len(values), dtype=np.float64)
    if not finite.any():
        return out
    inside = scaled(values[finite])
    bound = np.full(values.shape[1], 1.0 + MARGIN)
    out[finite] = contributions(inside, bound) / hypervolume(inside, bound)
    return out


def _front(values: Points) -> Points:
    """Return the front's distinct points."""
    if values.shape[1] != 2 or len(values) == 0:
        distinct: Points = np.unique(values, axis=0)
        return distinct[non_dominated(distinct)]
    ordered: Points = values[np.lexsort((values[:, 1], values[:, 0]))]
    lowest = np.minimum.accumulate(ordered[:, 1])
    front: Points = ordered[np.append(True, ordered[1:, 1] < lowest[:-1])]
    return front


def _volume(front: Points, bound: Points) -> float:
    """Return the volume of a front of distinct points by slicing along the last objective."""
    if len(front) == 0:
        return 0.0
    if len(bound) == 1:
        return float(bound[0] - front[0, 0])
    if len(bound) == 2:
        return _area(front, bound)
    front = front[np.argsort(front[:, -1], kind="stable")]
    depths = np.diff(np.append(front[:, -1], bound[-1]))
    slices = (
        depth * _volume(_front(front[: count + 1, :-1]), bound[:-1])
        for count, depth in enumerate(depths.tolist())
        if depth > 0
    )
    return float(sum(slices))


def _area(front: Points, bound: Points) -> float:
    front = front[np.argsort(front[:, 0], kind="stable")]
    above = np.concatenate(([bound[1]], front[:-1, 1]))
    return float(((bound[0] - front[:, 0]) * (above - front[:, 1])).sum())
