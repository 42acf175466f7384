"""Kendall's rank correlation of weighted observations, with an interval."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy

from reports.fidelity.below import agreement, apart
from reports.proportions import wilson

__all__ = ["Tau", "kendall"]

Values = npt.NDArray[np.float64]
LEVEL = 0.975


@dataclass(frozen=True, slots=True)
class Tau:
    """A rank correlation.

    Args:
        value: Kendall's τ_b, -1 to 1.
        low: Lower bound of its 95 % interval.
        high: Upper bound.
        count: Observations.
    """

    value: float
    low: float
    high: float
    count: int


def kendall(first: npt.ArrayLike, second: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> Tau | None:
    """Return Kendall's τ_b; `None` where fewer than 4 observations are finite, or all are equal.

    τ = P / √(Q₁ Q₂), where P sums w_i w_j sgn(x_i - x_j) sgn(y_i - y_j) over all pairs, and Q₁, Q₂ the squares of the
    signs. The interval is that of atanh τ, by what each observation contributes to it (the U-statistic's projection),
    with a t quantile for the effective number of observations (Σw)² / Σw². Where all pairs agree it is Wilson's for
    n / 2 independent pairs.

    Args:
        first: `(n,)`.
        second: `(n,)`.
        weights: `(n,)`, for how many each observation stands; all 1 by default.
    """
    x, y = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    w = np.ones(len(x)) if weights is None else np.asarray(weights, dtype=np.float64)
    finite = np.isfinite(x) & np.isfinite(y)
    x, y, w = x[finite], y[finite], w[finite]
    if len(x) < 4:
        return None
    rows = _pairs(x, y, w)
    totals = w @ rows
    if totals[1] <= 0 or totals[2] <= 0:
        return None
    value = float(np.clip(totals[0] / math.sqrt(totals[1] * totals[2]), -1.0, 1.0))
    effective = float(w.sum() ** 2 / (w**2).sum())
    low, high = _interval(value, _error(value, rows, totals, w), effective)
    return Tau(value, low, high, len(x))


def _pairs(x: Values, y: Values, w: Values) -> Values:
    """Return what each observation has with all others, `(n, 3)`: agreement, and pairs that differ in x and in y."""
    return np.stack([agreement(x, y, w), apart(x, w), apart(y, w)], axis=1)


def _error(value: float, rows: Values, totals: Values, w: Values) -> float:
    """Return the standard error of τ, from the contributions of the observations."""
    share = rows[:, 1:] / (totals[1:] / w.sum())
    agreement = rows[:, 0] / (math.sqrt(totals[1] * totals[2]) / w.sum())
    contribution = 2 * ((agreement - value) - 0.5 * value * (share.sum(axis=1) - 2))
    count = len(w)
    return math.sqrt(float((w**2 * contribution**2).sum()) * count / (count - 1)) / float(w.sum())


def _interval(value: float, error: float, effective: float) -> tuple[float, float]:
    if abs(value) > 1 - 1e-9:
        bound = 2 * wilson(1.0, max(int(effective // 2), 1))[0] - 1
        return (bound, 1.0) if value > 0 else (-1.0, -bound)
    half = float(scipy.special.stdtrit(max(effective - 2, 1), LEVEL)) * error / (1 - value**2)
    centre = math.atanh(value)
    return math.tanh(centre - half), math.tanh(centre + half)
