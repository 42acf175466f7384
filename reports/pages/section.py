"""A section of a page without the panels of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from reports.html.document import environment_of
from reports.measures import Measure

__all__ = ["client_without_candidates", "section"]


def section(part: str, title: str, data: Any = None, **context: Any) -> dict[str, Any]:
    """Return a section whose HTML is `templates/PART.html`.

    Args:
        part: Template without its suffix, `runs/fronts`; its last part is the section's name.
        title: Its heading.
        data: What its script needs, JSON-ready; `None` for nothing.
        **context: What the template needs.
    """
    body = environment_of().get_template(f"{part}.html").render(**context)
    return {
        "name": part.rpartition("/")[2],
        "title": title,
        "short": title,
        "body": Markup(body),  # noqa: S704 - autoescaped
        "figure": None,
        "data": data,
    }


def client_without_candidates(name: str, measures: Sequence[Measure]) -> Mapping[str, Any]:
    """Return what the page's script reads, of a page on which no candidate can be selected."""
    return {
        "run": name,
        "objectives": [measure.name for measure in measures],
        "measures": [],
        "points": [],
        "choices": [],
        "command": [],
        "columns": {"id": [], "values": {}},
        "first": None,
    }
