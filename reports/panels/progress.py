"""Panel 15: how the hypervolume grew, beside the searches that it is compared with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reports.drawing.figure_style import TITLE, layout
from reports.drawing.palette import LIGHT
from reports.panels.panel import PANELS, Panel
from reports.run.catalog import Catalog
from reports.run.growth import Growth, growth
from reports.run.run import RunRecord

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

__all__ = ["ProgressInfo", "progress_figure", "progress_info"]

STYLES = (("front", "solid", "circle"), ("baseline", "dash", "square"), ("control", "dot", "diamond"))
SHARES = (0.5, 0.8, 0.9, 0.95, 0.99)


@dataclass(frozen=True, slots=True)
class ProgressInfo:
    """What the panel shows.

    Args:
        searches: The search, then what it is compared with.
        shares: Shares of the hypervolume that the table gives.
        compared: What the comparison says, in a sentence; empty without one.
    """

    searches: tuple[Growth, ...]
    shares: tuple[float, ...]
    compared: str

    def first(self, search: Growth, share: float) -> tuple[int, int] | None:
        """Return after how many candidates and epochs a search has reached a share, or `None`."""
        place = next((index for index, value in enumerate(search.share) if value >= share), None)
        return None if place is None else (place + 1, search.epochs[place])


def progress_info(run: RunRecord, catalog: Catalog) -> ProgressInfo:
    """Return how the searches grew."""
    searches = growth(run)
    return ProgressInfo(searches, SHARES, _compared(searches))


def progress_figure(info: ProgressInfo) -> Figure:
    """Return a step line for every search, against trained epochs."""
    from plotly.graph_objects import Figure

    figure = Figure()
    for search, (color, dash, symbol) in zip(info.searches, STYLES, strict=False):
        figure.add_scatter(
            x=list(search.epochs),
            y=list(search.share),
            mode="lines+markers",
            name=search.name,
            line={"color": LIGHT[color], "width": 2, "dash": dash, "shape": "hv"},
            marker={"color": LIGHT[color], "symbol": symbol, "size": 5},
            meta=search.name,
        )
    epochs = {"title": {"text": "trained epochs", **TITLE}, "tickformat": "~s", "rangemode": "tozero"}
    share = {"title": {"text": "share of the hypervolume", **TITLE}, "tickformat": ".0%", "range": [0, 1.03]}
    figure.update_layout(**layout(epochs, share))
    return figure


def progress_data(info: ProgressInfo) -> dict[str, Any]:
    """Return the candidates that ended at every mark, for the other horizontal axis."""
    return {"candidates": [list(range(1, len(search.epochs) + 1)) for search in info.searches]}


def _compared(searches: tuple[Growth, ...]) -> str:
    if len(searches) < 2:
        return ""
    ends = [f"{search.name} {100 * search.share[-1]:.1f} % after {search.epochs[-1]:,} epochs" for search in searches]
    return f"Reached at the end: {', '.join(ends[:-1])} and {ends[-1]}. One run each: chance is not excluded."


PANELS.register("progress")(Panel(15, "Progress", progress_info, figure=progress_figure, data=progress_data))
