"""Panel 12: learning curves, and where and why candidates were stopped."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reports.candidates.table import trained_epochs
from reports.drawing.figure_style import TITLE, axis, layout
from reports.drawing.palette import LIGHT
from reports.panels.panel import PANELS, Panel
from reports.run.audits import Audit, audit
from reports.run.catalog import Catalog, Entry
from reports.run.run import RunRecord
from reports.run.second_looks import SecondLooks, repeated, second_looks
from reports.run.unranked import without_rank

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

__all__ = ["LearningInfo", "learning_figure", "learning_info"]

TOP = 10
MOST_DRAWN = 60
SHOWN = 25


@dataclass(frozen=True, slots=True)
class LearningInfo:
    """What the panel shows; candidates are places in the catalog.

    Args:
        catalog: The candidates.
        top: The best ones by quality; where none is ranked, those that break the constraints least.
        others: The other complete ones.
        pruned: The pruned ones that trained at least an epoch, as far as the page holds them.
        failed: The failed ones that did.
        counts: How many pruned and failed ones did that the run has, by state.
        epochs: Epochs of a whole training.
        saved: Epochs that the stops saved.
        audit: What is known of wrong stops.
        second_looks: What came of the stopped ones that were begun again.
        shown: Rows of the stopped ones that the page holds; its script makes the others.
    """

    catalog: Catalog
    top: tuple[int, ...]
    others: tuple[int, ...]
    pruned: tuple[int, ...]
    failed: tuple[int, ...]
    counts: Mapping[str, int]
    epochs: int
    saved: int
    audit: Audit
    second_looks: SecondLooks
    shown: int = SHOWN

    def curve(self, index: int) -> list[float]:
        """Return the quality of a candidate after each epoch."""
        return self.catalog.entries[index].curve_of(self.catalog.quality.name)

    @property
    def stopped(self) -> tuple[Entry, ...]:
        """The pruned and failed candidates, by number."""
        entries = [self.catalog.entries[index] for index in (*self.pruned, *self.failed)]
        return tuple(sorted(entries, key=lambda entry: entry.number))

    @property
    def leading(self) -> tuple[Entry, ...]:
        """The best candidates, best first."""
        return tuple(self.catalog.entries[index] for index in self.top)


def learning_info(run: RunRecord, catalog: Catalog) -> LearningInfo:
    """Return which curves are drawn how."""
    place = {entry.id: index for index, entry in enumerate(catalog.entries)}
    ranked = [place[entry.id] for entry in catalog.by_quality if entry.curve]
    complete = [*ranked, *(place[entry.id] for entry in catalog.beyond if entry.curve)]
    best = min(len(ranked) or len(complete), TOP)
    stopped = {
        state: tuple(index for index, entry in enumerate(catalog.entries) if entry.state == state and entry.curve)
        for state in ("pruned", "failed")
    }
    rest = without_rank(run)
    ended = {state: rest.loc[(rest["state"] == state) & (rest["epochs"] > 0), "epochs"] for state in stopped}
    longest = max((entry.epochs for entry in catalog.entries), default=0)
    epochs = max(run.epochs or 0, longest, *(int(part.max()) for part in ended.values() if len(part)))
    return LearningInfo(
        catalog=catalog,
        top=tuple(complete[:best]),
        others=tuple(complete[best:]),
        pruned=stopped["pruned"],
        failed=stopped["failed"],
        counts={state: len(part) for state, part in ended.items()},
        epochs=epochs,
        saved=int((epochs - ended["pruned"]).sum()) - _again(run),
        audit=audit(run.table),
        second_looks=second_looks(run.table),
    )


def _again(run: RunRecord) -> int:
    """Return the epochs that were trained twice, because a stopped training was begun anew instead of going on."""
    stopped = repeated(run.table)
    taken_over = (run.table["epochs"] - trained_epochs(run.table))[~stopped]
    return int(run.table.loc[stopped, "epochs"].sum() - taken_over.sum())


def learning_figure(info: LearningInfo) -> Figure:
    """Return the curves: the best ones solid, pruned and failed ones dotted up to the mark where they end.

    `customdata` of a point is its candidate's place in the catalog.
    """
    from plotly.graph_objects import Figure

    figure = Figure()
    if info.others:
        figure.add_scatter(
            **_curves(info, info.others),
            mode="lines",
            name=f"others ({len(info.others)})",
            line={"color": LIGHT["other-curve"], "width": 1},
            visible=_visible(info.others),
            meta="others",
        )
    for state, indices, symbol in (
        ("pruned", info.pruned, "x-thin-open"),
        ("failed", info.failed, "triangle-down-open"),
    ):
        if indices:
            _add_stopped(figure, info, indices, state, symbol)
    if info.top:
        figure.add_scatter(
            **_curves(info, info.top),
            mode="lines+markers",
            name=f"{'best' if info.leading[0].rank is not None else 'nearest'} {len(info.top)}",
            line={"color": LIGHT["accent"], "width": 1.6},
            marker={"size": 4},
            opacity=0.75,
            meta="top",
        )
    epochs = {
        "title": {"text": "epoch", **TITLE},
        "tickformat": "d",
        "dtick": max(1, math.ceil(info.epochs / 10)),
        "range": [0.7, max(info.epochs, 2) + 0.3],
    }
    figure.update_layout(**layout(epochs, axis(info.catalog.quality)))
    return figure


def _add_stopped(figure: Figure, info: LearningInfo, indices: Sequence[int], state: str, symbol: str) -> None:
    shared = {"legendgroup": state, "visible": _visible(indices)}
    figure.add_scatter(
        **_curves(info, indices),
        **shared,
        mode="lines",
        line={"color": LIGHT[state], "width": 1, "dash": "dot"},
        showlegend=False,
        meta=f"{state} curves",
    )
    ends = [info.curve(index) for index in indices]
    figure.add_scatter(
        x=[len(curve) for curve in ends],
        y=[_rounded(curve[-1]) for curve in ends],
        **shared,
        mode="markers",
        marker={"symbol": symbol, "size": 9, "color": LIGHT[state], "line": {"width": 2, "color": LIGHT[state]}},
        name=f"{state} ({len(indices)})",
        customdata=list(indices),
        meta=state,
    )


def _curves(info: LearningInfo, indices: Sequence[int]) -> dict[str, list[Any]]:
    """Return one line of several curves, with a gap after each."""
    x: list[int | None] = []
    y: list[float | None] = []
    places: list[int | None] = []
    for index in indices:
        curve = info.curve(index)
        x += [*range(1, len(curve) + 1), None]
        y += [*map(_rounded, curve), None]
        places += [*([index] * len(curve)), None]
    return {"x": x, "y": y, "customdata": places}


def _visible(indices: Sequence[int]) -> bool | str:
    return True if len(indices) <= MOST_DRAWN else "legendonly"


def _rounded(value: float) -> float | None:
    return round(value, 5) if math.isfinite(value) else None


PANELS.register("learning")(Panel(12, "Learning curves", learning_info, figure=learning_figure, short="Learning"))
