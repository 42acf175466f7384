"""Pareto ranks and the knee of a front.

Everything here minimises: turn a measure to maximise round with its sign first. A point with a value that
is not finite cannot be compared, so it stands behind all others and is never on a front.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["Points", "foremost", "knee", "non_dominated", "ranks", "scaled"]

Points = npt.NDArray[np.float64]


def ranks(points: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Return the Pareto rank of every point: 1 on the front, 2 on the front of the rest, and so on.

    A point dominates another when it is no worse in every objective and better in one, so equal points
    share their rank. Points with NaN or ±inf share the rank after the last one.

    Args:
        points: `(n, m)`, smaller is better.
    """
    values = _matrix(points)
    out = np.zeros(len(values), dtype=np.int64)
    fronts: list[list[int]] = []
    for index in _lexicographic(values):
        rank = _first_free(fronts, values, index)
        if rank == len(fronts):
            fronts.append([])
        fronts[rank].append(index)
        out[index] = rank + 1
    out[out == 0] = len(fronts) + 1
    return out


def non_dominated(points: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Return which points are on the front: dominated by no other one, with finite values only.

    Args:
        points: `(n, m)`, smaller is better.
    """
    values = _matrix(points)
    out = np.zeros(len(values), dtype=np.bool_)
    rest = np.array(_lexicographic(values), dtype=np.int64)
    while rest.size:
        first, rest = rest[0], rest[1:]
        out[first] = True
        better = values[rest] < values[first]
        rest = rest[better.any(axis=1) | (values[rest] == values[first]).all(axis=1)]
    return out


def foremost(points: npt.ArrayLike, count: int) -> npt.NDArray[np.int64]:
    """Return the indices of the first points by rank, of equal ranks in their order; without ranking all the others.

    Args:
        points: `(n, m)`, smaller is better.
        count: How many, at most.
    """
    values = _matrix(points)
    left, found = np.arange(len(values)), [np.zeros(0, dtype=np.int64)]
    while left.size and sum(map(len, found)) < count:
        on_front = non_dominated(values[left])
        # What is not finite comes last.
        found.append(left[on_front] if on_front.any() else left)
        left = left[~on_front] if on_front.any() else left[:0]
    return np.concatenate(found)[:count]


def knee(points: npt.ArrayLike) -> int | None:
    """Return the index of the front's knee, or `None` without a front.

    With every objective scaled to [0, 1] over the front, the knee is the point with the smallest sum: in
    two objectives the one farthest below the line between the extremes. Of equal sums the one that is
    better in the first objective is taken, then the first one.

    Args:
        points: `(n, m)`, smaller is better.
    """
    values = _matrix(points)
    front = np.flatnonzero(non_dominated(values))
    if front.size == 0:
        return None
    # Rounded, so that sums which differ by float noise alone count as equal.
    sums = np.round(scaled(values[front]).sum(axis=1), 12)
    return int(front[np.lexsort((front, values[front, 0], sums))[0]])


def scaled(points: Points) -> Points:
    """Return the points with every objective scaled to [0, 1]; an objective of one value becomes 0."""
    low = points.min(axis=0)
    span = points.max(axis=0) - low
    out: Points = (points - low) / np.where(span > 0, span, 1.0)
    return out


def _matrix(points: npt.ArrayLike) -> Points:
    values = np.asarray(points, dtype=np.float64)
    return values.reshape(len(values), -1 if values.size else 1)


def _lexicographic(values: Points) -> list[int]:
    """Return the indices of the finite points, so ordered that none is dominated by a later one."""
    indices = np.flatnonzero(np.isfinite(values).all(axis=1))
    order: list[int] = indices[np.lexsort(values[indices].T[::-1])].tolist()
    return order


def _dominated(point: Points, by: Points) -> bool:
    return bool(((by <= point).all(axis=1) & (by < point).any(axis=1)).any())


def _first_free(fronts: list[list[int]], values: Points, index: int) -> int:
    """Return the first front that does not dominate the point: every front before it does."""
    low, high = 0, len(fronts)
    while low < high:
        middle = (low + high) // 2
        if _dominated(values[index], values[fronts[middle]]):
            low = middle + 1
        else:
            high = middle
    return low
