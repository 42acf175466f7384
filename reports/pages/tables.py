"""Candidates of runs and tables with what the ranking says of them, to be written as a table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from reports.run.run import load_run
from reports.tables.columns import completed
from reports.tables.names import named_as_text
from reports.tables.objectives import Objectives, resolved
from reports.tables.own_columns import RESULTS
from reports.tables.ranking import ranked

__all__ = ["table_of_runs", "with_ranks"]


def table_of_runs(folders: Sequence[str | Path]) -> pd.DataFrame:
    """Return the candidates of runs with their ranks; of several runs, the first column says of which one.

    What was trained for comparison or again is left out, as in the ranking.

    Raises:
        RunError: A folder is no run.
    """
    parts = []
    for folder in folders:
        run = load_run(folder)
        part = with_ranks(run.table, run.objectives)
        parts.append(part if len(folders) == 1 else part.assign(run=str(folder)))
    whole = pd.concat(parts, ignore_index=True)
    return whole if len(folders) == 1 else whole[["run", *(name for name in whole.columns if name != "run")]]


def with_ranks(table: pd.DataFrame, objectives: Objectives) -> pd.DataFrame:
    """Return all rows of a table, with `rank`, `contribution` and `knee` where a candidate is ranked, else empty.

    Raises:
        FusionNasError: As `reports.rank`.
    """
    measures, table = resolved(objectives), named_as_text(table)
    whole = completed(table, [measure for measure in measures if measure.column in table.columns])
    ranking = ranked(whole, measures).set_index("number")
    added = {name: whole["number"].map(ranking[name]) for name in RESULTS}
    return whole.assign(**added).astype({"rank": "Int64", "knee": "boolean"})
