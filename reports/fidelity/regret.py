"""What is lost by taking the best candidates of an early epoch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["RESAMPLES", "Regret", "regret", "top_regret"]

Values = npt.NDArray[np.float64]
RESAMPLES = 500
# So many draws are looked at together.
AT_A_TIME = 1 << 20
_TAILS = (0.025, 0.975)


@dataclass(frozen=True, slots=True)
class Regret:
    """How much worse the best of the early best ends than the best of all.

    Args:
        value: That of the candidates that there are.
        low: Lower end of its 95 % bootstrap interval.
        high: Upper end.
        chance: What it would be on average if they were picked at random.
    """

    value: float
    low: float
    high: float
    chance: float

    @property
    def told(self) -> bool:
        """Whether the interval tells anything: it does not hold both no loss at all and that of chance."""
        return not (self.low <= 0.0 and self.high >= self.chance)


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
    final_values, places = _in_order(early, final, weights)
    if not len(final_values):
        return None
    return float(_lost(final_values[None], places[None], most)[0])


def regret(
    early: npt.ArrayLike, final: npt.ArrayLike, most: int, weights: npt.ArrayLike | None = None, *, seed: int = 0
) -> Regret | None:
    """Return `top_regret` with a bootstrap interval: as many candidates are drawn with replacement, 500 times.

    A candidate that is drawn twice takes two of the places. `None` without a finite value.

    Args:
        early: As of `top_regret`.
        final: As of `top_regret`.
        most: As of `top_regret`.
        weights: As of `top_regret`.
        seed: Seed of the draws.
    """
    final_values, places = _in_order(early, final, weights)
    size = len(final_values)
    if not size:
        return None
    low, high = np.quantile(_resampled(final_values, places, most, np.random.default_rng(seed)), _TAILS)
    value = _lost(final_values[None], places[None], most)[0]
    return Regret(float(value), float(low), float(high), _by_chance(final_values, places, most))


def _in_order(early: npt.ArrayLike, final: npt.ArrayLike, weights: npt.ArrayLike | None) -> tuple[Values, Values]:
    """Return the final values and the weights of what is finite, the best early one first."""
    x, y = np.asarray(early, dtype=np.float64), np.asarray(final, dtype=np.float64)
    w = np.ones(len(x)) if weights is None else np.asarray(weights, dtype=np.float64)
    finite = np.isfinite(x) & np.isfinite(y)
    x, y, w = x[finite], y[finite], w[finite]
    order = np.lexsort((y, -x))
    return y[order], w[order]


def _resampled(final: Values, places: Values, most: int, rng: np.random.Generator) -> Values:
    """Return what is lost in each of many resamples, some of them at a time, so that long runs fit into memory."""
    size = len(final)
    together = max(AT_A_TIME // size, 1)
    parts = []
    for start in range(0, RESAMPLES, together):
        drawn = rng.integers(0, size, (min(together, RESAMPLES - start), size))
        drawn.sort(axis=1)
        parts.append(_lost(final[drawn], places[drawn], most))
    return np.concatenate(parts)


def _lost(final: Values, places: Values, most: int) -> Values:
    """Return what is lost in each of several samples `(samples, n)`, whose observations are in their early order."""
    before = np.cumsum(places, axis=1) - places
    lost: Values = final.max(axis=1) - np.where(before < most, final, -np.inf).max(axis=1)
    return lost


def _by_chance(final: Values, places: Values, most: int) -> float:
    """Return the expected loss of `most` picks at random: E max = Σ y (F(y)^most − F(y before)^most)."""
    order = np.argsort(final, kind="stable")
    below = np.concatenate(([0.0], np.cumsum(places[order]) / places.sum())) ** most
    return float(final.max() - final[order] @ np.diff(below))
