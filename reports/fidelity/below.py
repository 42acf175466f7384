"""How much weight lies below each of many points of a plane, without a look at every pair."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["agreement", "apart"]

Values = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]


def agreement(x: Values, y: Values, w: Values) -> Values:
    """Return Σ_j w_j sgn(x_i - x_j) sgn(y_i - y_j) for each observation, `(n,)`; it takes n log² n steps."""
    across, up = _ranks(x), _ranks(y)
    less_x, less_y = _less(across, w), _less(up, w)
    both, equal_y, equal_x = _below(across, up, w), _beside(up, across, w), _beside(across, up, w)
    left_above = less_x - both - equal_y
    right_below = less_y - both - equal_x
    same = _same(across * (up.max() + 1) + up, w)
    right_level = _same(up, w) - equal_y - same
    right_above = w.sum() - less_x - _same(across, w) - right_below - right_level
    out: Values = both + right_above - left_above - right_below
    return out


def apart(x: Values, w: Values) -> Values:
    """Return Σ_j w_j [x_i ≠ x_j] for each observation, `(n,)`."""
    out: Values = w.sum() - _same(_ranks(x), w)
    return out


def _ranks(values: Values) -> Places:
    return np.unique(values, return_inverse=True)[1].astype(np.int64)


def _same(ranks: Places, w: Values) -> Values:
    """Return the weight that has the same rank."""
    ranks = np.unique(ranks, return_inverse=True)[1]
    out: Values = np.bincount(ranks, w).astype(np.float64)[ranks]
    return out


def _less(ranks: Places, w: Values) -> Values:
    """Return the weight that has a lower rank."""
    totals = np.bincount(ranks, w).astype(np.float64)
    out: Values = (np.cumsum(totals) - totals)[ranks]
    return out


def _beside(group: Places, ranks: Places, w: Values) -> Values:
    """Return the weight of the same group that has a lower rank."""
    key = group * (ranks.max() + 1) + ranks
    below = _less(np.unique(key, return_inverse=True)[1], w)
    return below - _less(group, w)


def _below(across: Places, up: Places, w: Values) -> Values:
    """Return the weight that is lower in both ranks.

    Of two ranks the lower one has a 0 at the first bit at which they differ. So each pair is met at one bit alone,
    among those that have all bits before it in common.
    """
    out = np.zeros(len(w))
    for bit in range(int(across.max()).bit_length()):
        zero = (across >> bit) & 1 == 0
        found = _beside(_ranks((across >> (bit + 1)).astype(np.float64)), up, np.where(zero, w, 0.0))
        out += np.where(zero, 0.0, found)
    return out
