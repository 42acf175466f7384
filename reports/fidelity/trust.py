"""How far the ranking of short trainings is that of trainings from scratch: statistics on arrays."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy

from fusion_ops.errors import DataError
from reports.fidelity.tau import Tau, kendall
from reports.proportions import difference_interval

__all__ = ["Lost", "Trust", "trust"]

TAIL = 0.025


@dataclass(frozen=True, slots=True)
class Lost:
    """The regret of a pick: by how much the best one is better, both trained from scratch.

    Args:
        value: What was seen, at least 0.
        low: Lower bound of its 95 % interval; NaN where the data give none.
        high: Upper bound; likewise.
    """

    value: float
    low: float = math.nan
    high: float = math.nan

    @property
    def bounded(self) -> bool:
        """Whether there is an interval."""
        return math.isfinite(self.low)


@dataclass(frozen=True, slots=True)
class Trust:
    """How far a ranking is to be trusted.

    Args:
        count: Networks that have both values.
        tau: Kendall's τ_b over all; `None` where it cannot be calculated: of fewer than 4, or of equal values.
        best: The same among the half of them that the short trainings rank best.
        lost: The regret of the pick; `None` where the pick has no value from scratch.
    """

    count: int
    tau: Tau | None
    best: Tau | None
    lost: Lost | None

    @property
    def holds(self) -> bool:
        """Whether the interval of τ is above 0, so that the ranking is better than chance."""
        return self.tau is not None and self.tau.low > 0


def trust(short: npt.ArrayLike, scratch: npt.ArrayLike, pick: int | None = None, images: int | None = None) -> Trust:
    """Return how far the ranking of short trainings is that of trainings from scratch.

    τ and its interval are those of `kendall`. The regret's interval says what the choice of the images explains, of two
    shares of `images` images: the greatest of the intervals of all differences to the pick, at 1 − 0.05 / (n − 1) each,
    so that all hold at once (Bonferroni; see Hsu, "Multiple Comparisons", 1996, on comparisons with the best). It says
    nothing of what another seed would have shown.

    Args:
        short: `(n,)`, values of the short trainings; greater is better, NaN for none.
        scratch: `(n,)`, values of the same networks from scratch, likewise.
        pick: Place of the network that the search would pick; `None` for the best one of `short`.
        images: Of how many images the values from scratch are shares; `None` where they are something else.

    Raises:
        DataError: The lengths differ, or `pick` is none of the places.
    """
    x, y = np.asarray(short, dtype=np.float64), np.asarray(scratch, dtype=np.float64)
    if x.ndim != 1 or x.shape != y.shape:
        raise DataError(f"short and scratch must have one value a network each; got shapes {x.shape} and {y.shape}.")
    if pick is not None and not 0 <= pick < len(x):
        raise DataError(f"pick must be a place of {len(x)} networks, from 0; got {pick}.")
    known = np.isfinite(x) & np.isfinite(y)
    if pick is None and np.isfinite(x).any():
        pick = int(np.nanargmax(x))
    half = math.ceil(known.sum() / 2)
    leading = np.flatnonzero(known)[np.argsort(-x[known], kind="stable")[:half]]
    lost = _lost(y, pick, known, images) if pick is not None and known[pick] else None
    return Trust(int(known.sum()), kendall(x, y), kendall(x[leading], y[leading]), lost)


def _lost(values: npt.NDArray[np.float64], pick: int, known: npt.NDArray[np.bool_], images: int | None) -> Lost:
    others = [float(value) for place, value in enumerate(values) if known[place] and place != pick]
    mine = float(values[pick])
    seen = max(max(others, default=mine) - mine, 0.0)
    if not images or not others:
        return Lost(seen)
    z = float(scipy.special.ndtri(1 - TAIL / len(others)))
    bounds = [difference_interval(other, mine, images, z) for other in others]
    return Lost(seen, max(max(low for low, _ in bounds), 0.0), max(max(high for _, high in bounds), 0.0))
