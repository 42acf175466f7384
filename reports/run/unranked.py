"""The candidates without a rank: all that there are, and those of them that a page holds."""

from __future__ import annotations

import numpy as np
import pandas as pd

from reports.run.run import RunRecord

__all__ = ["MOST", "on_page", "without_rank"]

# Of a long run a page holds so many: 100,000 would be 47 MB, and no browser draws them.
MOST = 4000


def without_rank(run: RunRecord) -> pd.DataFrame:
    """Return what is not complete, by number: each architecture with its hyperparameters once, as it was first.

    Of the columns of the table it has those by which candidates are told apart and counted, and the table's index.
    """
    rows = run.table[["number", "id", "state", "kind", "epochs"]].sort_values("number", kind="stable")
    first = rows.drop_duplicates("id")
    return first[~first["id"].isin([*run.ranked["id"], *run.beyond["id"]])]


def on_page(rows: pd.DataFrame, most: int) -> pd.DataFrame:
    """Return those of the rows that a page holds, by number: all of them, if they are at most so many.

    Of more it holds what the search did not propose itself, then of each state, the rarest first, all or an even spread
    over the run.
    """
    if len(rows) <= most:
        return rows
    proposed = rows["kind"] == "search"
    kept, left = [rows[~proposed]], max(most - int((~proposed).sum()), 0)
    states = sorted((part for _, part in rows[proposed].groupby("state")), key=len)
    for place, part in enumerate(states):
        count = min(len(part), left // (len(states) - place))
        kept.append(part.iloc[np.linspace(0, len(part) - 1, count).astype(int)])
        left -= count
    return pd.concat(kept).sort_values("number", kind="stable")
