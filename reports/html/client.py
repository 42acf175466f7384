"""What the page's script knows of every candidate, JSON-ready: columns, of which `candidate.js` makes candidates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fusion_ops import FusionChoice
from reports.candidates.candidate import ON_PAGE
from reports.candidates.hyperparameters import short_name
from reports.drawing.palette import OperatorStyle, operator_styles
from reports.measures import Measure
from reports.run.catalog import Catalog, Entry
from reports.run.commands import export_command_around
from reports.run.run import RunRecord
from spaces.hyperparameter import label

__all__ = ["client_data"]

_KEPT = (*ON_PAGE, "rank", "contribution", "knee", "description")


def client_data(run: RunRecord, catalog: Catalog) -> dict[str, Any]:
    """Return the candidates, the measures and the name of the run."""
    every = (*catalog.entries, *catalog.drawn)
    choices = list(dict.fromkeys(choice for entry in every for _, choice in entry.architecture.choices))
    styles = operator_styles(choice.name for choice in choices)
    return {
        "run": run.name,
        "objectives": list(run.objectives),
        "quality": catalog.quality.name,
        "measures": [_measure(measure) for measure in catalog.measures],
        "points": list(catalog.points),
        "hyperparameters": [{"name": name, "label": short_name(name)} for name in catalog.hyperparameters],
        "choices": [_choice(choice, styles[choice.name]) for choice in choices],
        "command": export_command_around(run.path) if run.has_weights else [],
        "columns": {name: [getattr(entry, name) for entry in catalog.entries] for name in _KEPT}
        | _columns(catalog, catalog.entries, choices),
        "drawn": _columns(catalog, catalog.drawn, choices),
        "first": catalog.first.id if catalog.first is not None else None,
    }


def _columns(catalog: Catalog, entries: Sequence[Entry], choices: list[FusionChoice]) -> dict[str, Any]:
    """Return what candidates chose, and what was measured of them, a list each; `values` has one a measure."""
    place = {choice: index for index, choice in enumerate(choices)}
    chosen = [dict(entry.architecture.choices) for entry in entries]
    refs = [network.ref for network in catalog.networks]
    return {
        # A point that a host network does not have is null.
        "chosen": [[place[one[name]] if name in one else None for name in catalog.points] for one in chosen],
        "network": [refs.index(entry.architecture.space) for entry in entries],
        "hyperparameters": {
            name: [label(entry.hyperparameters.get(name)) for entry in entries] for name in catalog.hyperparameters
        },
        "values": {measure.name: [entry.values[measure.name] for entry in entries] for measure in catalog.measures},
    }


def _measure(measure: Measure) -> dict[str, Any]:
    return {
        "name": measure.name,
        "label": measure.label,
        "column": measure.column,
        "sign": measure.sign,
        "style": measure.style,
        "unit": measure.unit,
        "quality": measure.quality,
    }


def _choice(choice: FusionChoice, style: OperatorStyle) -> dict[str, Any]:
    return {
        "values": choice.to_dict(),
        "name": choice.name,
        "text": str(choice),
        "operator": str(choice.operator),
        "symbol": style.key,
        "letter": style.letter,
    }
