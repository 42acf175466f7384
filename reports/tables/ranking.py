"""The ranking of candidates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from reports.candidates import table as rows
from reports.candidates.violations import violations
from reports.fronts.dominance import knee, ranks
from reports.fronts.volume import shares
from reports.measures import MEASURES, Measure
from reports.tables.columns import completed, with_bounded
from reports.tables.names import named_again
from reports.tables.objectives import Objectives, quality_among, resolved

__all__ = ["beyond_constraints", "rank", "ranked", "ranking"]


def rank(
    candidates: pd.DataFrame, objectives: Objectives, constraints: Mapping[str, float] | None = None
) -> pd.DataFrame:
    """Return the complete candidates, best first.

    They are sorted by Pareto rank, then by quality (the first objective that is one), then by parameters,
    then by number. So the first row of the best quality is the best candidate.
    An architecture that is there twice counts once, by its first row. Candidates of kind `control` and
    `retrain` are not ranked: they answer other questions.

    Args:
        candidates: The candidates table, of a run or from any other tool; `docs/library.md` says which columns it may
            have. What it lacks is completed, and said in `attrs["missing"]` of what is returned.
        objectives: Names of the objectives; or names with directions, `{"map50": "maximize", "gflops": "minimize"}`,
            of columns that are no measures of fusion-nas.
        constraints: Bounds by measure: at most on a cost or a loss, at least on any other quality. With them the
            complete candidates that break some follow behind all others, the least violating first.

    Returns:
        The table's columns and three more: `rank` (1 is the front; an objective that was not measured
        puts a candidate behind all others), `contribution` (share of the front's hypervolume that this
        candidate alone adds, 0 to 1) and `knee` (whether it is the front's knee).

        With `constraints` a fourth, `violation`: the sum of what breaks them, each in proportion to its bound
        (`reports.candidates.violations`); 0 for what meets all.

    Raises:
        UnknownNameError: An objective or a constraint that is no measure.
        ConfigError: No objective says how good a network is.
        DataError: A column of an objective is missing, or a cell is wrong; the message names column and row.
    """
    out = ranking(candidates, objectives, constraints)
    return out.set_axis(named_again(out.columns, candidates), axis=1)


def ranking(
    candidates: pd.DataFrame, objectives: Objectives, constraints: Mapping[str, float] | None = None
) -> pd.DataFrame:
    """Return what `rank` does, its columns called by texts."""
    measures = resolved(objectives)
    quality_among(measures)
    table = completed(candidates, measures)
    if constraints is None:
        return ranked(table, measures)
    table = with_bounded(table, [MEASURES[name] for name in constraints])
    there = rows.comparable(table.assign(feasible=True))
    table = table[there].sort_values("number", kind="stable").drop_duplicates("id", keep="first")
    table = table.assign(feasible=table["feasible"] & (violations(table, constraints) == 0))
    within, beyond = ranked(table, measures), beyond_constraints(table, measures, constraints)
    last = int(within["rank"].max()) if len(within) else 0
    places = beyond["violation"].rank(method="dense", na_option="bottom").astype(int)
    behind = beyond.assign(rank=last + places, contribution=0.0, knee=False)
    parts = [part for part in (within.assign(violation=0.0), behind) if len(part)]
    return pd.concat(parts, ignore_index=True) if parts else within.assign(violation=0.0)


def beyond_constraints(
    candidates: pd.DataFrame, measures: Sequence[Measure], constraints: Mapping[str, float]
) -> pd.DataFrame:
    """Return the complete candidates that break a constraint, with their `violation`, the least violating first.

    Equals are sorted by quality, then by parameters, then by number. Where the table says that a candidate is beyond
    the constraints and its measures do not say by how much, it stands last, with the violation NaN.
    """
    apart = candidates.assign(feasible=~candidates["feasible"])
    table = candidates[rows.comparable(apart)].sort_values("number", kind="stable")
    table = table.drop_duplicates("id", keep="first").reset_index(drop=True)
    found = violations(table, constraints)
    table = table.assign(violation=np.where(found > 0, found, np.nan))
    quality_loss, params = rows.losses_of(table, [quality_among(measures)])[:, 0], _params(table)
    order = np.lexsort((table["number"].to_numpy(), params, quality_loss, table["violation"].to_numpy()))
    return table.iloc[order].reset_index(drop=True)


def ranked(candidates: pd.DataFrame, measures: Sequence[Measure]) -> pd.DataFrame:
    """Return the complete candidates of a whole table, best first; see `rank`. A measure may have no column yet.

    Raises:
        ConfigError: No objective says how good a network is.
    """
    quality = quality_among(measures)
    table = candidates[rows.comparable(candidates)].sort_values("number", kind="stable")
    table = table.drop_duplicates("id", keep="first").reset_index(drop=True)
    losses = rows.losses_of(table, measures)
    bend = knee(losses)
    out = table.assign(
        rank=ranks(losses),
        contribution=shares(losses),
        knee=[index == bend for index in range(len(table))],
    )
    quality_loss, params = rows.losses_of(table, [quality])[:, 0], _params(table)
    best_first = np.lexsort((table["number"].to_numpy(), params, quality_loss, out["rank"].to_numpy()))
    return out.iloc[best_first].reset_index(drop=True).astype({"knee": bool})


def _params(table: pd.DataFrame) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the parameters, by which equals are sorted; what is no number, as `1.2M`, stands behind."""
    values = table.get("params", pd.Series(np.nan, table.index))
    return pd.to_numeric(values, errors="coerce").to_numpy(np.float64, na_value=np.nan)
