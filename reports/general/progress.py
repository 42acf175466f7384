"""How the hypervolume of any search grew, candidate by candidate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from reports import candidates
from reports.candidate import TRAINED
from reports.figure_style import TITLE, layout
from reports.general.record import TableRecord
from reports.growth import Growth, grown
from reports.palette import LIGHT

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

__all__ = ["progress_figure", "progress_info"]


def progress_info(record: TableRecord) -> Growth | None:
    """Return how the search grew, by `finished` where the table has it, else by number; `None` where nothing did."""
    rows = record.table[record.table["state"].isin(TRAINED)]
    dated = "finished" in rows.columns and bool(rows["finished"].replace("", None).notna().all())
    rows = rows.sort_values(["finished", "number"] if dated else ["number"], kind="stable")
    points = candidates.losses_of(rows, record.objectives)
    points[~candidates.comparable(rows).to_numpy(np.bool_)] = np.nan
    return next(iter(grown([(record.name, rows, points)])), None) if len(rows) else None


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
