"""What is lost by taking the best candidates of an early epoch."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["top_regret"]


def top_regret(
    early: npt.ArrayLike, final: npt.ArrayLike, most: int, weights: npt.ArrayLike | None = None
) -> float | None:
    """Return how much worse the best of the `most` best at an early epoch ends than the best of all.

    Equal early values stand in the less fortunate order: what ends worse first. An observation that stands for several
    takes as many of the places. It is 0 where the best one of all is among them, and `None` without a finite value.

    Args:
        early: `(n,)`, greater is better.
        final: `(n,)`, greater is better.
        most: How many of the early best are trained on, at least 1.
        weights: `(n,)`, for how many each observation stands; all 1 by default.
    """
    x, y = np.asarray(early, dtype=np.float64), np.asarray(final, dtype=np.float64)
    w = np.ones(len(x)) if weights is None else np.asarray(weights, dtype=np.float64)
    finite = np.isfinite(x) & np.isfinite(y)
    if not finite.any():
        return None
    x, y, w = x[finite], y[finite], w[finite]
    order = np.lexsort((y, -x))
    before = np.cumsum(w[order]) - w[order]
    taken = order[before < most]
    return float(y.max() - y[taken].max())
