"""The fronts of several runs in one picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from reports.candidates import table as candidates
from reports.drawing.figure_style import axis, layout
from reports.drawing.palette import LIGHT
from reports.fronts.dominance import Points, non_dominated
from reports.measures import Measure
from reports.runs.attainment import Surface, surfaces
from reports.runs.configs import Repeats
from reports.runs.picks import Pick, picked
from reports.runs.retrained import Retrained, RetrainedInfo, interval
from reports.runs.side import Side

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

__all__ = [
    "STYLES",
    "AttainmentInfo",
    "FrontsInfo",
    "attainment_figure",
    "attainment_info",
    "fronts_figure",
    "fronts_info",
]

STYLES: Final = (
    ("front", "solid", "circle"),
    ("baseline", "dash", "diamond"),
    ("control", "dot", "square"),
    ("retrained", "dashdot", "triangle-up"),
    ("infeasible", "longdash", "cross"),
)
"""By run: colour, dashes and mark, so that no two share one of them."""
LONGEST: Final = 40
_DASHES: Final = {"best": "dot", "median": "solid", "worst": "dash"}


@dataclass(frozen=True, slots=True)
class FrontsInfo:
    """The fronts.

    Args:
        sides: The runs.
        x: The measure across.
        y: The measure up: the quality.
        fronts: By run, the candidates that no other of it beats in both measures, by x.
        others: By run, `(n, 2)`, all other complete candidates.
    """

    sides: tuple[Side, ...]
    x: Measure
    y: Measure
    fronts: tuple[tuple[Pick, ...], ...]
    others: tuple[Points, ...]


@dataclass(frozen=True, slots=True)
class AttainmentInfo:
    """The attainment surfaces of runs that repeat one config.

    Args:
        x: The measure across.
        y: The measure up: the quality.
        groups: The repeats, each with its surfaces; what was not repeated has none and is not there.
    """

    x: Measure
    y: Measure
    groups: tuple[tuple[Repeats, tuple[Surface, ...]], ...]


def fronts_info(sides: Sequence[Side], measures: Sequence[Measure], x: Measure) -> FrontsInfo:
    """Return the fronts of one measure against the quality."""
    y = sides[0].run.quality
    fronts, others = [], []
    for side in sides:
        losses = candidates.losses_of(side.ranked, (x, y))
        on_front = non_dominated(losses)
        rows = side.ranked[on_front].sort_values(x.column, kind="stable")
        fronts.append(picked(side, rows, measures))
        others.append(losses[~on_front & np.isfinite(losses).all(axis=1)] * [x.sign, y.sign])
    return FrontsInfo(tuple(sides), x, y, tuple(fronts), tuple(others))


def attainment_info(repeated: Sequence[Repeats], x: Measure, y: Measure) -> AttainmentInfo:
    """Return the surfaces of one measure against the quality."""
    groups = []
    for group in repeated:
        found = surfaces([candidates.losses_of(side.ranked, (x, y)) for side in group.sides])
        if found:
            groups.append((group, found))
    return AttainmentInfo(x, y, tuple(groups))


def fronts_figure(info: FrontsInfo, again: RetrainedInfo) -> Figure:
    """Return the step lines of the fronts over faint marks of all other candidates.

    Networks that were retrained by their run's own recipe stand at the mean over seeds, with its interval as a bar; no
    line joins them.
    """
    from plotly.graph_objects import Figure

    figure = Figure()
    for side, other, style in zip(info.sides, info.others, STYLES, strict=False):
        figure.add_scatter(**_others(side, other, style))
    for side, front, style in zip(info.sides, info.fronts, STYLES, strict=False):
        figure.add_scatter(**_front(info, side, front, style))
    for side, style in zip(info.sides, STYLES, strict=False):
        if marks := [row for row in again.of(side) if row.validated.value is not None]:
            figure.add_scatter(**_retrained(info, side, marks, style))
    figure.update_layout(**layout(axis(info.x), axis(info.y)))
    return figure


def attainment_figure(info: AttainmentInfo) -> Figure:
    """Return the surfaces as step lines: dots for the best, a line for the median, dashes for the worst."""
    from plotly.graph_objects import Figure

    figure = Figure()
    for (group, found), (color, _, symbol) in zip(info.groups, STYLES, strict=False):
        for surface in found:
            points = surface.points * [info.x.sign, info.y.sign]
            figure.add_scatter(
                x=points[:, 0].tolist(),
                y=points[:, 1].tolist(),
                mode="lines+markers",
                name=f"{group.letters}: {surface.name}",
                line={"color": LIGHT[color], "width": 2, "dash": _DASHES[surface.name], "shape": "hv"},
                marker={"color": LIGHT[color], "symbol": symbol, "size": 6},
                hovertemplate=f"{surface.name} of {len(group.sides)} runs<br>%{{x}}, %{{y}}<extra></extra>",
            )
    figure.update_layout(**layout(axis(info.x), axis(info.y)))
    return figure


def _front(info: FrontsInfo, side: Side, front: Sequence[Pick], style: tuple[str, str, str]) -> dict[str, Any]:
    color, dash, symbol = style
    return {
        "x": [pick.values[info.x.name] for pick in front],
        "y": [pick.values[info.y.name] for pick in front],
        "mode": "lines+markers",
        "name": f"{_legend(side.title)} ({len(front)})",
        "line": {"color": LIGHT[color], "width": 2, "dash": dash, "shape": _shape(info.x)},
        "marker": {"color": LIGHT[color], "symbol": symbol, "size": 9},
        "hovertext": [_hover(pick, info) for pick in front],
        "hovertemplate": "%{hovertext}<extra></extra>",
        "meta": side.letter,
    }


def _others(side: Side, points: Points, style: tuple[str, str, str]) -> dict[str, Any]:
    color, _, symbol = style
    return {
        "x": points[:, 0].tolist(),
        "y": points[:, 1].tolist(),
        "mode": "markers",
        "marker": {"color": LIGHT[color], "symbol": f"{symbol}-open", "size": 6, "opacity": 0.35},
        "showlegend": False,
        "hoverinfo": "skip",
        "meta": f"{side.letter}-others",
    }


def _retrained(info: FrontsInfo, side: Side, marks: Sequence[Retrained], style: tuple[str, str, str]) -> dict[str, Any]:
    color, _, symbol = style
    halves = [row.validated.half or 0.0 for row in marks]
    return {
        "x": [row.values[info.x.name] for row in marks],
        "y": [row.validated.value for row in marks],
        "error_y": {"array": halves, "color": LIGHT[color], "thickness": 1.5, "width": 5},
        "mode": "markers",
        "name": f"{_legend(side.title)}, retrained ({len(marks)})",
        "marker": {"color": LIGHT[color], "symbol": f"{symbol}-open-dot", "size": 11, "line": {"width": 1.5}},
        "hovertext": [_hover_retrained(row, info.y) for row in marks],
        "hovertemplate": "%{hovertext}<extra></extra>",
        "meta": f"{side.letter}-retrained",
    }


def _hover_retrained(row: Retrained, quality: Measure) -> str:
    words = row.description.replace("`", "")
    seeds = f"{row.seeds} seed{'' if row.seeds == '1' else 's'}"
    lines = (f"{row.label}  {row.role}, {seeds}", words, f"{interval(quality, row.validated)} {quality.label}")
    return "<br>".join((f"<b>{_legend(row.side.title)}, retrained</b>", *(escape(line, quote=False) for line in lines)))


def _hover(pick: Pick, info: FrontsInfo) -> str:
    x, y = (measure.format(pick.values[measure.name]) for measure in (info.x, info.y))
    words = pick.description.replace("`", "")
    return "<br>".join(
        (
            f"<b>{_legend(pick.side.title)}</b>",
            f"candidate {pick.number}  {pick.id}",
            escape(words, quote=False),
            escape(f"{y} {info.y.label}, {x} {info.x.label}", quote=False),
        )
    )


def _legend(text: str) -> str:
    """Return a text for Plotly's legend, which reads tags and templates; a long one is cut."""
    cut = text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
    return escape(cut, quote=False).replace("%{", "&#37;{")


def _shape(x: Measure) -> str:
    """Return how a step goes on: what is better lies to the left, or to the right."""
    return "hv" if x.sign > 0 else "vh"
