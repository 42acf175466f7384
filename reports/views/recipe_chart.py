"""The chart of operators along a hyperparameter: a line with its band for each, and the candidates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from reports.drawing.figure_style import TITLE, axis, layout
from reports.drawing.palette import OperatorStyle
from reports.marginal.recipes import Along
from reports.measures import Measure
from reports.views.recipe_words import chance_word, level_word, quality_word, range_word, setting_word

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

__all__ = ["Mark", "picked", "recipe_chart"]

Mark = tuple[int, float, str, float]
"""A candidate: its place in the catalog, where its hyperparameter lies, its main operator and its quality."""

TICKS = 5
_LONGEST = 28
_DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
_SYMBOLS = (
    *("circle", "square", "diamond", "triangle-up", "hexagon", "pentagon", "cross", "star", "triangle-down"),
    *("octagon", "hourglass", "bowtie"),
)


def recipe_chart(
    along: Along,
    operators: Sequence[str],
    measure: Measure,
    styles: Mapping[str, OperatorStyle],
    marks: Sequence[Mark],
) -> Figure:
    """Return the chart of a hyperparameter.

    Args:
        along: What is known of it.
        operators: Names of the operators, in the order of `along`.
        measure: The quality.
        styles: The look of each operator.
        marks: The candidates.
    """
    from plotly.graph_objects import Figure

    figure, factor = Figure(), along.factor
    words = [level_word(level) for level in factor.levels]
    for place, name in enumerate(operators):
        look = _look(place, styles[name])
        # Of categories marks stand beside each other.
        aside = 0.0 if factor.ordered else 0.7 * ((place + 0.5) / len(operators) - 0.5)
        x = [round(float(at) + aside, 4) for at in factor.places]
        mean, low, high = (-measure.sign * one[place] for one in (along.mean, along.low, along.high))
        if factor.ordered:
            figure.add_scatter(**_band(x, low, high, look))
        figure.add_scatter(
            x=x,
            y=_rounded(mean),
            mode="lines" if factor.ordered else "markers",
            name=_plain(name),
            line={"color": look["color"], "width": 2.5, "dash": look["dash"]},
            marker={"color": look["color"], "symbol": look["symbol"], "size": 10},
            error_y=None if factor.ordered else _bars(mean, low, high, look),
            hovertext=[
                f"<b>{_plain(name)}</b> at {_plain(word)}<br>"
                f"{quality_word(measure, along.mean[place, at])} "
                f"({range_word(measure, along.low[place, at], along.high[place, at])})<br>"
                f"the best with {chance_word(along.best[place, at])}"
                for at, word in enumerate(words)
            ],
            hovertemplate="%{hovertext}<extra></extra>",
            legendgroup=look["symbol"],
            meta="operator",
        )
        own = [mark for mark in marks if mark[2] == name]
        figure.add_scatter(
            x=[round(at + aside, 4) for _, at, _, _ in own],
            y=[round(value, 6) for *_, value in own],
            customdata=[index for index, *_ in own],
            mode="markers",
            showlegend=False,
            marker={"color": look["color"], "symbol": f"{look['symbol']}-open", "size": 8, "line": {"width": 1.4}},
            legendgroup=look["symbol"],
            meta="candidates",
        )
    shown = picked(len(words), TICKS) if factor.ordered else range(len(words))
    x_axis = {
        "title": {"text": _plain(f"{setting_word(factor.name)} ({factor.name})"), **TITLE},
        "tickvals": [round(float(factor.places[at]), 4) for at in shown],
        "ticktext": [_plain(words[at]) for at in shown],
    }
    figure.update_layout(**layout(x_axis, axis(measure)))
    return figure


def picked(count: int, most: int) -> list[int]:
    """Return at most so many of the levels, evenly apart, the first and the last among them."""
    return sorted({round(float(at)) for at in np.linspace(0, count - 1, min(count, most))})


def _look(place: int, style: OperatorStyle) -> dict[str, Any]:
    symbol = _SYMBOLS[place % len(_SYMBOLS)]
    return {"color": style.color, "dash": _DASHES[place % len(_DASHES)], "symbol": symbol}


def _band(x: Sequence[float], low: Any, high: Any, look: Mapping[str, Any]) -> dict[str, Any]:
    red, green, blue = (int(look["color"][at : at + 2], 16) for at in (1, 3, 5))
    return {
        "x": [*x, *reversed(x)],
        "y": [*_rounded(low), *reversed(_rounded(high))],
        "mode": "lines",
        "line": {"width": 0},
        "fill": "toself",
        "fillcolor": f"rgba({red},{green},{blue},0.13)",
        "hoverinfo": "skip",
        "showlegend": False,
        "legendgroup": look["symbol"],
        "meta": "band",
    }


def _bars(mean: Any, low: Any, high: Any, look: Mapping[str, Any]) -> dict[str, Any]:
    upper, lower = np.maximum(low, high), np.minimum(low, high)
    return {
        "type": "data",
        "symmetric": False,
        "array": _rounded(upper - mean),
        "arrayminus": _rounded(mean - lower),
        "color": look["color"],
        "thickness": 1.5,
        "width": 4,
    }


def _rounded(values: Any) -> list[float]:
    return [float(f"{value:.6g}") for value in values]


def _plain(text: str) -> str:
    """Return a text for Plotly, which reads tags and templates; a long one is cut."""
    cut = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
    return escape(cut, quote=False).replace("%{", "&#37;{")
