"""What all Plotly figures of the report share: layout and axes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reports.drawing.palette import LIGHT
from reports.measures import Measure

__all__ = ["TITLE", "axis", "layout"]

TITLE: Mapping[str, Any] = {"font": {"color": LIGHT["muted"], "size": 13}, "standoff": 12}
FONT = "system-ui, sans-serif"
_TICKS = {"percent": ".1~%", "count": "~s", "bytes": "~s"}


def axis(measure: Measure) -> dict[str, Any]:
    """Return title and number format of a measure's axis."""
    unit = f" in {measure.unit}" if measure.unit else ""
    note = f" ({measure.note})" if measure.note else ""
    return {
        "title": {"text": f"{measure.label}{unit}{note}", **TITLE},
        "tickformat": _TICKS.get(measure.style, "~g"),
        "hoverformat": _TICKS.get(measure.style, "~g"),
    }


def layout(x: Mapping[str, Any], y: Mapping[str, Any]) -> dict[str, Any]:
    """Return the layout of a figure with these axes."""
    base = {
        "gridcolor": LIGHT["grid"],
        "linecolor": LIGHT["line"],
        "zeroline": False,
        "automargin": True,
        "tickfont": {"color": LIGHT["muted"]},
    }
    return {
        "template": "none",
        "xaxis": base | dict(x),
        "yaxis": base | dict(y),
        "font": {"family": FONT, "size": 13, "color": LIGHT["ink"]},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "hovermode": "closest",
        "hoverlabel": {
            "align": "left",
            "bgcolor": LIGHT["surface"],
            "bordercolor": LIGHT["line"],
            "font": {"color": LIGHT["ink"], "family": FONT, "size": 13},
        },
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        "margin": {"l": 56, "r": 24, "t": 8, "b": 48},
    }
