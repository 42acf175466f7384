"""What the page's script knows of every candidate, JSON-ready."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fusion_ops import FusionChoice
from reports.candidate import ON_PAGE
from reports.catalog import Catalog, Entry
from reports.commands import export_command
from reports.figure_style import hover_text
from reports.measures import Measure
from reports.palette import OperatorStyle, operator_styles
from reports.run import RunRecord

__all__ = ["client_data"]


def client_data(run: RunRecord, catalog: Catalog) -> dict[str, Any]:
    """Return the candidates, the measures and the name of the run."""
    choices = list(dict.fromkeys(choice for entry in catalog.entries for _, choice in entry.architecture.choices))
    styles = operator_styles(choice.op for choice in choices)
    place = {choice: index for index, choice in enumerate(choices)}
    return {
        "run": run.name,
        "objectives": list(run.objectives),
        "quality": catalog.quality.name,
        "measures": [_measure(measure) for measure in catalog.measures],
        "points": [point.name for point in catalog.points],
        "choices": [_choice(choice, styles[choice.op]) for choice in choices],
        "entries": [_entry(run, catalog, entry, place) for entry in catalog.entries],
        "first": catalog.first.id if catalog.first is not None else None,
    }


def _measure(measure: Measure) -> dict[str, Any]:
    kept = ("name", "label", "column", "sign", "style")
    return {name: getattr(measure, name) for name in kept}


def _choice(choice: FusionChoice, style: OperatorStyle) -> dict[str, Any]:
    return {"values": choice.to_dict(), "text": str(choice), "symbol": style.key, "letter": style.letter}


def _entry(run: RunRecord, catalog: Catalog, entry: Entry, place: Mapping[FusionChoice, int]) -> dict[str, Any]:
    measures, chosen = catalog.measures, dict(entry.architecture.choices)
    return {
        **{name: getattr(entry, name) for name in (*ON_PAGE, "rank", "contribution", "knee", "values")},
        "chosen": [place[chosen[point.name]] for point in catalog.points],
        "description": entry.description,
        "hover": hover_text(entry, measures),
        "command": export_command(run.path, entry.id) if entry.state == "complete" else "",
        "shown": {measure.name: measure.format(entry.values[measure.name]) for measure in measures},
        "exact": {measure.name: measure.exactly(entry.values[measure.name]) for measure in measures},
    }
