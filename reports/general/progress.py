"""How the hypervolume of any search grew, candidate by candidate."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from fusion_ops.errors import DataError
from reports.candidates import table as candidates
from reports.candidates.candidate import TRAINED
from reports.drawing.figure_style import TITLE, layout
from reports.drawing.palette import LIGHT
from reports.general.record import TableRecord
from reports.run.growth import Growth, grown

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

__all__ = ["is_dated", "progress_figure", "progress_info"]


def progress_info(record: TableRecord) -> Growth | None:
    """Return how the search grew, by `finished` where that has times in every row, else by number.

    `None` where nothing was trained.

    Raises:
        DataError: `finished` has numbers and texts; the message names the row.
    """
    rows = record.table[record.table["state"].isin(TRAINED)]
    ended = _ended(rows)
    rows = rows.assign(finished=rows["number"] if ended is None else ended)
    rows = rows.sort_values(["finished", "number"], kind="stable")
    points = candidates.losses_of(rows, record.objectives)
    points[~candidates.comparable(rows).to_numpy(np.bool_)] = np.nan
    return next(iter(grown([(record.name, rows, points)])), None) if len(rows) else None


def _ended(rows: pd.DataFrame) -> pd.Series[Any] | None:
    """Return when each row ended, as dates or numbers; `None` where that is not known of all."""
    if "finished" not in rows.columns:
        return None
    given = rows["finished"].astype(object)
    given = given.where(given.notna() & (given != ""), None)
    if given.empty:
        return None
    numbers = np.array([_is_number(value) for value in given], np.bool_)
    there = given.notna().to_numpy(np.bool_)
    other = there & (numbers != numbers[there.argmax()])
    if other.any():
        place = int(other.argmax())
        raise DataError(
            f"column `finished` must have dates or numbers, not both; got {given.iloc[place]!r} in row "
            f"{rows.index[place]}."
        )
    if not there.all():
        return None
    if numbers.all():
        return given.astype("float64")
    texts = [value.isoformat() if isinstance(value, datetime) else str(value) for value in given]
    dates = pd.Series(pd.to_datetime(texts, format="ISO8601", utc=True, errors="coerce"), index=rows.index)
    return dates if dates.notna().all() else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


def is_dated(record: TableRecord) -> bool:
    """Return whether the progress goes by `finished`; else it goes by number.

    Raises:
        DataError: As `progress_info`.
    """
    return _ended(record.table[record.table["state"].isin(TRAINED)]) is not None


def progress_figure(info: Growth) -> Figure:
    """Return the step line against candidates."""
    from plotly.graph_objects import Figure

    figure = Figure()
    figure.add_scatter(
        x=list(range(1, len(info.share) + 1)),
        y=list(info.share),
        mode="lines+markers",
        name="this search",
        line={"color": LIGHT["front"], "width": 2, "shape": "hv"},
        marker={"color": LIGHT["front"], "size": 4},
        hovertemplate="%{y:.1%} after %{x:,} candidates<extra></extra>",
    )
    across = {"title": {"text": "candidates that ended", **TITLE}, "tickformat": "~s", "rangemode": "tozero"}
    up = {"title": {"text": "share of the hypervolume", **TITLE}, "tickformat": ".0%", "range": [0, 1.03]}
    figure.update_layout(**layout(across, up))
    return figure
