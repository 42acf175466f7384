"""What a panel of the report is, and the registry of all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fusion_ops.registry import Registry
from reports.run.catalog import Catalog
from reports.run.run import RunRecord

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

__all__ = ["PANELS", "Panel", "ordered"]


@dataclass(frozen=True, slots=True)
class Panel:
    """A panel: numbers first, then how they are shown.

    Its HTML is `templates/panels/NAME.html` with the numbers as `info`, and those of all panels, by name, as `infos`;
    `NAME.css` and `NAME.js` beside it are taken into the page where they exist.

    Args:
        number: Its place in the report, from 1.
        title: Its heading.
        info: Returns its numbers; `None` where a run has nothing for it, which leaves it out of the report.
        figure: Draws them with Plotly; `None` where the template does.
        data: Returns what its script needs, JSON-ready; `None` for nothing.
        short: Its heading in a word or two, for the list of panels; empty where the heading is that short.
    """

    number: int
    title: str
    info: Callable[[RunRecord, Catalog], Any]
    figure: Callable[[Any], Figure] | None = None
    data: Callable[[Any], Any] | None = None
    short: str = ""


PANELS: Registry[Panel] = Registry("report panel")


def ordered() -> list[tuple[str, Panel]]:
    """Return all panels by name, in the report's order."""
    return sorted(((name, PANELS[name]) for name in PANELS), key=lambda item: item[1].number)
