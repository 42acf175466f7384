"""Questions to a table of candidates: which are on the front, how much it dominates, where it bends."""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from fusion_ops.errors import SpecError
from reports.candidates import table as candidates
from reports.fronts.volume import MARGIN
from reports.fronts.volume import hypervolume as volume
from reports.measures import Measure
from reports.tables.columns import completed
from reports.tables.names import named_again
from reports.tables.objectives import Objectives, resolved
from reports.tables.ranking import rank, ranking

__all__ = ["hypervolume", "knee", "pareto"]


def pareto(table: pd.DataFrame, objectives: Objectives) -> pd.DataFrame:
    """Return the candidates that no other is better than in every objective, best quality first.

    Equal candidates are all there; what lacks a value of an objective is not.

    Args:
        table: The candidates; see `rank`.
        objectives: The objectives; see `rank`.

    Raises:
        FusionNasError: As `rank`.
    """
    out, measures = ranking(table, objectives), resolved(objectives)
    whole = np.isfinite(candidates.losses_of(out, measures)).all(axis=1)
    front: pd.DataFrame = out[(out["rank"] == 1) & whole].reset_index(drop=True)
    return front.set_axis(named_again(front.columns, table), axis=1)


def knee(table: pd.DataFrame, objectives: Objectives) -> pd.Series[Any] | None:
    """Return the front's candidate with the smallest sum of its objectives, each scaled to [0, 1] over the front.

    `None` without a front. Of equal sums, the better one in the first objective.

    Args:
        table: The candidates; see `rank`.
        objectives: The objectives; see `rank`.

    Raises:
        FusionNasError: As `rank`.
    """
    out = rank(table, objectives)
    bends = out[out["knee"]]
    return bends.iloc[0] if len(bends) else None


def hypervolume(table: pd.DataFrame, objectives: Objectives, reference: Mapping[Any, float] | None = None) -> float:
    """Return how much of the objective space the complete candidates dominate.

    The volume of all points z with p ≤ z ≤ reference for some candidate p, with every objective turned to be
    minimised. Exact, for any number of objectives.

    Args:
        table: The candidates; see `rank`.
        objectives: The objectives; see `rank`.
        reference: By objective, the worst value that counts, in the table's units; the volume is in the product of the
            units. Without it, every objective is scaled to [0, 1] over the complete candidates and bounded at 1.1: a
            number without a unit, which compares parts of one table but no two tables.

    Raises:
        SpecError: The reference is no mapping, lacks an objective, or has something else, or a value is no finite
            number.
        FusionNasError: As `rank`.
    """
    measures = resolved(objectives)
    whole = completed(table, measures)
    points = candidates.losses_of(whole[candidates.comparable(whole)], measures)
    if reference is not None:
        return volume(points, _bound(reference, measures))
    points = points[np.isfinite(points).all(axis=1)]
    if not len(points):
        return 0.0
    low, span = points.min(axis=0), np.ptp(points, axis=0)
    return volume((points - low) / np.where(span > 0, span, 1.0), np.full(len(measures), 1.0 + MARGIN))


def _bound(reference: Mapping[Any, float], measures: tuple[Measure, ...]) -> list[float]:
    names = [measure.name for measure in measures]
    if isinstance(reference, Mapping):
        reference = {str(name): value for name, value in reference.items()}
    if not isinstance(reference, Mapping) or set(reference) != set(names):
        got = dict(reference) if isinstance(reference, Mapping) else repr(reference)
        raise SpecError(f"`reference` has a value of every objective, {', '.join(names)}; got {got}.")
    for name, value in reference.items():
        if not isinstance(value, Real) or not math.isfinite(value):
            raise SpecError(f"`reference` has a finite number of every objective; got {value!r} for `{name}`.")
    return [measure.sign * float(reference[measure.name]) for measure in measures]
