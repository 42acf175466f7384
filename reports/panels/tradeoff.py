"""Panel 2: any two objectives or costs against each other, with the front."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from reports.drawing.figure_style import axis, layout
from reports.drawing.palette import LIGHT, OperatorStyle, operator_styles
from reports.fronts.dominance import non_dominated
from reports.measures import MEASURES, Measure
from reports.panels.panel import PANELS, Panel
from reports.retrained.marks import RetrainedMark, retrained_marks
from reports.run.catalog import Catalog, Entry
from reports.run.latencies import LatencyInfo, latency_info
from reports.run.run import RunRecord

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

__all__ = ["Group", "TradeoffInfo", "front_of", "tradeoff_data", "tradeoff_figure", "tradeoff_info"]


MANY = 300


@dataclass(frozen=True, slots=True)
class Group:
    """Candidates that are drawn alike.

    Args:
        key: Its name, and that of its colour.
        label: As the legend has it.
        symbol: Plotly's name of its mark.
        size: Size of the mark in pixels.
        members: Places of its candidates in the catalog.
    """

    key: str
    label: str
    symbol: str
    size: int
    members: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TradeoffInfo:
    """What the panel shows.

    Args:
        catalog: The candidates.
        axes: The measures to choose from.
        x: The measure on the horizontal axis at first.
        y: The one on the vertical axis.
        groups: The candidates by what became of them.
        front: Places of the front's candidates for these axes, by x.
        retrained: Networks that were retrained; none of them is on the front.
        styles: The look of each operator.
        latencies: What is said of latencies, where any was measured.
    """

    catalog: Catalog
    axes: tuple[Measure, ...]
    x: Measure
    y: Measure
    groups: tuple[Group, ...]
    front: tuple[int, ...]
    retrained: tuple[RetrainedMark, ...]
    styles: dict[str, OperatorStyle]
    latencies: LatencyInfo | None = None


_GROUPS: tuple[tuple[str, str, str, int, Callable[[Entry], bool]], ...] = (
    ("infeasible", "infeasible", "square-open", 9, lambda entry: entry.state == "infeasible" or entry.beyond),
    ("running", "running", "circle-open-dot", 9, lambda entry: entry.state == "running"),
    ("failed", "failed", "triangle-down-open", 10, lambda entry: entry.state == "failed"),
    ("pruned", "pruned", "x-thin-open", 8, lambda entry: entry.state == "pruned"),
    ("search", "complete", "circle", 9, lambda entry: entry.kind == "search"),
    ("control", "control", "hexagon-open", 11, lambda entry: entry.kind == "control"),
    ("baseline", "baseline", "diamond-open", 12, lambda entry: entry.kind == "baseline"),
)


def tradeoff_info(run: RunRecord, catalog: Catalog) -> TradeoffInfo:
    """Return the groups of candidates and the first choice of axes: the first cost against quality."""
    costs = [measure for measure in catalog.measures if measure.cost]
    objectives = [measure for measure in costs if measure.name in run.objectives]
    x = (objectives or costs or [MEASURES["params"]])[0]
    return TradeoffInfo(
        catalog=catalog,
        axes=catalog.measures,
        x=x,
        y=catalog.quality,
        groups=_grouped(catalog),
        front=front_of(catalog, x, catalog.quality),
        retrained=retrained_marks(run, catalog),
        styles=operator_styles(catalog.operators),
        latencies=latency_info(run, catalog),
    )


def front_of(catalog: Catalog, x: Measure, y: Measure) -> tuple[int, ...]:
    """Return the places of the complete candidates that no other one beats in both measures, by x."""
    ranked = [index for index, entry in enumerate(catalog.entries) if entry.rank is not None]
    losses = [[measure.loss(catalog.entries[index].values[measure.name]) for measure in (x, y)] for index in ranked]
    front = [ranked[place] for place in np.flatnonzero(non_dominated(losses))] if losses else []
    return tuple(sorted(front, key=lambda index: catalog.entries[index].values[x.name] or 0.0))


def tradeoff_figure(info: TradeoffInfo) -> Figure:
    """Return the scatter plot: the front as a step line, a mark for what became of each candidate.

    `customdata` of a mark is its candidate's place in the catalog, and `meta` names the trace, so that the
    page can put other measures on the axes.
    """
    from plotly.graph_objects import Figure

    entries = info.catalog.entries
    figure = Figure()
    figure.add_scatter(
        x=[entries[index].values[info.x.name] for index in info.front],
        y=[entries[index].values[info.y.name] for index in info.front],
        mode="lines",
        line={"color": LIGHT["front"], "width": 2, "shape": "hv"},
        name=f"front ({len(info.front)})",
        meta="front",
        hoverinfo="skip",
    )
    for group in info.groups:
        figure.add_scatter(**_marks(group, info))
    figure.add_scatter(**_knee(info))
    if info.retrained:
        figure.add_scatter(**_retrained(info))
    figure.update_layout(**layout(axis(info.x), axis(info.y)))
    return figure


def tradeoff_data(info: TradeoffInfo) -> dict[str, Any]:
    """Return what the page needs to change the axes."""
    axes = {measure.name: axis(measure) for measure in info.axes}
    signs = {measure.name: measure.sign for measure in info.axes}
    return {
        "x": info.x.name,
        "y": info.y.name,
        "axes": axes,
        "signs": signs,
        "quality": info.catalog.quality.name,
        "retrained": [{"values": mark.values, "half": mark.half} for mark in info.retrained],
    }


def _grouped(catalog: Catalog) -> tuple[Group, ...]:
    members: dict[str, list[int]] = {key: [] for key, *_ in _GROUPS}
    for index, entry in enumerate(catalog.entries):
        key = next((key for key, *_, belongs in _GROUPS if belongs(entry)), None)
        if key is not None:
            members[key].append(index)
    return tuple(
        Group(key, f"{label} ({len(members[key])})", symbol, size, tuple(members[key]))
        for key, label, symbol, size, _ in _GROUPS
        if members[key]
    )


def _marks(group: Group, info: TradeoffInfo) -> dict[str, Any]:
    entries = [info.catalog.entries[index] for index in group.members]
    color = LIGHT[group.key]
    on_front = set(info.front)
    named = group.key == "baseline"
    fills = [LIGHT["front"] if index in on_front else color for index in group.members]
    return {
        "x": [entry.values[info.x.name] for entry in entries],
        "y": [entry.values[info.y.name] for entry in entries],
        "mode": "markers+text" if named else "markers",
        "text": [str(entry.architecture.choices[0][1]) for entry in entries] if named else None,
        "textposition": "bottom right",
        "cliponaxis": not named,
        "textfont": {"color": color, "size": 11},
        "marker": {
            "symbol": group.symbol,
            "size": group.size if len(info.catalog.entries) <= MANY else group.size - 2,
            "opacity": 1 if len(info.catalog.entries) <= MANY else 0.75,
            "color": fills if group.key == "search" else color,
            "line": {"width": 2 if "open" in group.symbol else 0, "color": color},
        },
        "name": group.label,
        "meta": group.key,
        "customdata": list(group.members),
    }


def _knee(info: TradeoffInfo) -> dict[str, Any]:
    knees = [index for index, entry in enumerate(info.catalog.entries) if entry.knee]
    return {
        "x": [info.catalog.entries[index].values[info.x.name] for index in knees],
        "y": [info.catalog.entries[index].values[info.y.name] for index in knees],
        "mode": "markers",
        "marker": {"symbol": "star", "size": 15, "color": LIGHT["front"]},
        "name": "knee",
        "meta": "knee",
        "customdata": knees,
        "visible": bool(knees),
    }


def _retrained(info: TradeoffInfo) -> dict[str, Any]:
    """Return the marks of retrained networks at the mean of their seeds, with its interval as a bar."""
    color = LIGHT["retrained"]
    return {
        "x": [mark.values[info.x.name] for mark in info.retrained],
        "y": [mark.values[info.y.name] for mark in info.retrained],
        "error_y": {
            "array": [mark.half or 0.0 for mark in info.retrained],
            "color": color,
            "thickness": 1.5,
            "width": 5,
        },
        "mode": "markers",
        "marker": {"symbol": "square-cross-open", "size": 10, "color": color, "line": {"width": 1.5, "color": color}},
        "name": f"retrained ({len(info.retrained)})",
        "meta": "retrained",
        "customdata": [mark.place for mark in info.retrained],
        "hovertext": [mark.hover for mark in info.retrained],
    }


PANELS.register("tradeoff")(Panel(3, "Trade-off", tradeoff_info, figure=tradeoff_figure, data=tradeoff_data))
