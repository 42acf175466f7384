"""The ranking of a run's candidates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from reports import candidates as rows
from reports.dominance import knee, ranks
from reports.measures import quality_of
from reports.volume import shares

__all__ = ["rank"]


def rank(candidates: pd.DataFrame, objectives: Sequence[str]) -> pd.DataFrame:
    """Return the complete candidates, best first.

    They are sorted by Pareto rank, then by quality (the first objective that is one), then by parameters,
    then by number. So the first row of the best quality is the best candidate.
    An architecture that is there twice counts once, by its first row. Candidates of kind `control` and
    `retrain` are not ranked: they answer other questions.

    Args:
        candidates: The candidates table.
        objectives: Names of the objectives.

    Returns:
        The table's columns and three more: `rank` (1 is the front; an objective that was not measured
        puts a candidate behind all others), `contribution` (share of the front's hypervolume that this
        candidate alone adds, 0 to 1) and `knee` (whether it is the front's knee).

    Raises:
        UnknownNameError: An objective that is no measure.
        ConfigError: No objective says how good a network is.
    """
    quality = quality_of(objectives)
    table = candidates[rows.comparable(candidates)].sort_values("number", kind="stable")
    table = table.drop_duplicates("id", keep="first").reset_index(drop=True)
    losses = rows.losses(table, objectives)
    bend = knee(losses)
    ranked = table.assign(
        rank=ranks(losses),
        contribution=shares(losses),
        knee=[index == bend for index in range(len(table))],
    )
    quality_loss, params = rows.losses(table, [quality.name, "params"]).T
    best_first = np.lexsort((table["number"].to_numpy(), params, quality_loss, ranked["rank"].to_numpy()))
    return ranked.iloc[best_first].reset_index(drop=True).astype({"knee": bool})
