"""The ranking of candidates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from reports.candidates import table as rows
from reports.fronts.dominance import knee, ranks
from reports.fronts.volume import shares
from reports.measures import MEASURES, Measure
from reports.tables.columns import completed
from reports.tables.objectives import Objectives, quality_among, resolved

__all__ = ["rank", "ranked"]


def rank(candidates: pd.DataFrame, objectives: Objectives) -> pd.DataFrame:
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

    Returns:
        The table's columns and three more: `rank` (1 is the front; an objective that was not measured
        puts a candidate behind all others), `contribution` (share of the front's hypervolume that this
        candidate alone adds, 0 to 1) and `knee` (whether it is the front's knee).

    Raises:
        UnknownNameError: An objective that is no measure.
        ConfigError: No objective says how good a network is.
        DataError: A column of an objective is missing, or a cell is wrong; the message names column and row.
    """
    measures = resolved(objectives)
    quality_among(measures)
    return ranked(completed(candidates, measures), measures)


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
    quality_loss, params = rows.losses_of(table, [quality, MEASURES["params"]]).T
    best_first = np.lexsort((table["number"].to_numpy(), params, quality_loss, out["rank"].to_numpy()))
    return out.iloc[best_first].reset_index(drop=True).astype({"knee": bool})
