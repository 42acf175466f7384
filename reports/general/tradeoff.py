"""Quality against every other measure, of any table."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from reports.candidates import table as candidates
from reports.drawing.figure_style import axis, layout
from reports.drawing.palette import LIGHT
from reports.fronts.dominance import non_dominated
from reports.general.record import TableRecord
from reports.measures import Measure

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

__all__ = ["TradeoffInfo", "tradeoff_data", "tradeoff_figure", "tradeoff_info"]

SETTINGS: Final = 8


@dataclass(frozen=True, slots=True)
class TradeoffInfo:
    """The chart.

    Args:
        record: The table.
        y: The quality.
        fronts: By measure across, the places in the ranking of its front, by that measure.
    """

    record: TableRecord
    y: Measure
    fronts: tuple[tuple[Measure, tuple[int, ...]], ...]


def tradeoff_info(record: TableRecord) -> TradeoffInfo:
    """Return the fronts of the quality against every other measure."""
    others = [measure for measure in record.measures if measure is not record.quality]
    return TradeoffInfo(record, record.quality, tuple((x, _front(record, x)) for x in others))


def tradeoff_figure(info: TradeoffInfo) -> Figure:
    """Return the traces without their values, which the page puts in for what is across."""
    from plotly.graph_objects import Figure

    figure = Figure()
    figure.add_scatter(mode="markers", meta="all", name="complete", marker={"color": LIGHT["search"], "size": 8})
    figure.add_scatter(
        mode="lines+markers",
        meta="front",
        name="front",
        line={"color": LIGHT["front"], "width": 2},
        marker={"color": LIGHT["front"], "symbol": "diamond", "size": 9},
    )
    figure.update_layout(**layout({}, axis(info.y)))
    return figure


def tradeoff_data(info: TradeoffInfo) -> dict[str, Any]:
    """Return the values of the ranked candidates and the fronts."""
    ranking = info.record.ranked
    values = {m.name: _cells(ranking[m.column].to_list()) for m in info.record.measures}
    return {
        "y": info.y.name,
        "axes": {x.name: axis(x) for x, _ in info.fronts},
        "shapes": {x.name: "hv" if x.sign > 0 else "vh" for x, _ in info.fronts},
        "fronts": {x.name: list(front) for x, front in info.fronts},
        "values": values,
        "hover": [_hover(info.record, row) for row in ranking.to_dict("records")],
    }


def _front(record: TableRecord, x: Measure) -> tuple[int, ...]:
    losses = candidates.losses_of(record.ranked, (x, record.quality))
    places = np.flatnonzero(non_dominated(losses))
    return tuple(places[np.argsort(record.ranked[x.column].to_numpy()[places], kind="stable")].tolist())


def _hover(record: TableRecord, row: dict[Any, Any]) -> str:
    shown = [f"{m.format(row[m.column])} {m.label}" for m in record.measures if np.isfinite(row[m.column])]
    settings = [f"{name} = {value}" for name, value in record.settings(row).items()]
    cut = [*settings[:SETTINGS], "…"] if len(settings) > SETTINGS else settings
    return "<br>".join(
        [
            f"<b>candidate {row['number']}</b>  {escape(str(row['id']), quote=False)}",
            *(escape(line, quote=False) for line in (*shown, *cut)),
        ]
    )


def _cells(values: list[float]) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in values]
