"""How the hypervolume of a search grew, and of what it is compared with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from reports.candidates import table as candidates
from reports.candidates.candidate import TRAINED
from reports.fronts.volume import MARGIN, hypervolume
from reports.run.run import RunRecord

__all__ = ["Growth", "grown", "growth"]

SERIES = (
    ("random search", ("random",)),
    ("one epoch for all, then the top", ("one_epoch", "one_epoch_top")),
)


@dataclass(frozen=True, slots=True)
class Growth:
    """One search, by the candidates that ended.

    Args:
        name: What it is, in a few words.
        epochs: Epochs trained up to each of them.
        share: Hypervolume of the completed ones up to it, as a share of that of everything that was trained.
    """

    name: str
    epochs: tuple[int, ...]
    share: tuple[float, ...]


def growth(run: RunRecord) -> tuple[Growth, ...]:
    """Return the search, then what it is compared with, where that was trained.

    The objectives are scaled to [0, 1] over all completed candidates, the reference point is 1.1 in each.
    """
    apart = run.contests
    named = [(name, apart[apart["series"].isin(series)] if len(apart) else apart) for name, series in SERIES]
    parts = [("this search", run.table, TRAINED), *((name, rows, (*TRAINED, "duplicate")) for name, rows in named)]
    searches = [(name, _ended(rows, states)) for name, rows, states in parts if len(rows)]
    points = [_points(rows, run.objectives) for _, rows in searches]
    if not searches:
        return ()
    return grown([(name, rows, part) for (name, rows), part in zip(searches, points, strict=True)])


def grown(searches: Sequence[tuple[str, pd.DataFrame, np.ndarray[Any, np.dtype[np.float64]]]]) -> tuple[Growth, ...]:
    """Return how searches grew, scaled together; nothing where none has a completed candidate.

    Args:
        searches: By search its name, the candidates that ended, in that order, and `(n, m)` their objectives to
            minimise, NaN for what is not to count. What has no column `epochs` took none.
    """
    points = [part for _, _, part in searches]
    everything = np.concatenate([part[np.isfinite(part).all(axis=1)] for part in points])
    if len(everything) == 0:
        return ()
    low, span = everything.min(axis=0), np.ptp(everything, axis=0)
    scale = np.where(span > 0, span, 1.0)
    bound = np.full(everything.shape[1], 1.0 + MARGIN)
    whole = hypervolume((everything - low) / scale, bound)
    return tuple(_grown(name, rows, (part - low) / scale, bound, whole) for name, rows, part in searches)


def _ended(rows: pd.DataFrame, states: Sequence[str]) -> pd.DataFrame:
    return rows[rows["state"].isin(states)].sort_values(["finished", "number"], kind="stable")


def _points(rows: pd.DataFrame, objectives: Sequence[str]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the objectives to minimise; NaN for what is not complete, or breaks a constraint."""
    points = candidates.losses(rows, objectives)
    whole = rows["state"].isin(["complete", "duplicate"]) & rows["feasible"] & (rows["series"] != "one_epoch")
    points[~whole.to_numpy(np.bool_)] = np.nan
    return points


def _grown(
    name: str,
    rows: pd.DataFrame,
    points: np.ndarray[Any, np.dtype[np.float64]],
    bound: np.ndarray[Any, np.dtype[np.float64]],
    whole: float,
) -> Growth:
    share, volume = [], 0.0
    front = np.empty((0, len(bound)))
    for point in points:
        if np.isfinite(point).all() and not (front <= point).all(axis=1).any():
            front = np.vstack([front[~(point <= front).all(axis=1)], point])
            volume = hypervolume(front, bound)
        share.append(round(volume / whole, 6))
    epochs = np.cumsum(candidates.trained_epochs(rows).to_numpy(np.int64)).tolist()
    return Growth(name, tuple(epochs), tuple(share))
