"""Panel 5: the network of a candidate, drawn, with every fusion point's operator and exact cost."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fusion_ops import Cost, FusionChoice
from reports.candidates.hyperparameters import settings_in_words
from reports.drawing.diagram import Stage, stages
from reports.drawing.palette import OperatorStyle, operator_styles
from reports.measures import MEASURES, Measure
from reports.panels.panel import PANELS, Panel
from reports.run.catalog import Catalog, Entry, Network
from reports.run.run import RunRecord
from spaces import FusionPoint

__all__ = ["ArchitectureInfo", "Drawing", "PointRow", "architecture_data", "architecture_info", "point_rows"]


@dataclass(frozen=True, slots=True)
class PointRow:
    """What stands at a fusion point.

    Args:
        point: The point.
        choice: The operator and its settings.
        cost: Its exact cost.
        params: Parameters as a person reads them.
        flops: FLOPs as a person reads them.
    """

    point: FusionPoint
    choice: FusionChoice
    cost: Cost
    params: str
    flops: str

    @property
    def resampler(self) -> str | None:
        """What brings the smaller input to size; `None` where all inputs are of one size."""
        return None if self.point.before is None else self.choice.resampler


@dataclass(frozen=True, slots=True)
class Drawing:
    """A host network, drawn.

    Args:
        rows: Its fusion points, with the operators of the candidate that is shown first, or of its own first one.
        places: The place of each among all points of the page.
        stages: The drawing.
    """

    rows: tuple[PointRow, ...]
    places: tuple[int, ...]
    stages: tuple[Stage, ...]


@dataclass(frozen=True, slots=True)
class ArchitectureInfo:
    """What the panel shows.

    Args:
        catalog: The candidates to choose from.
        entry: The candidate shown first; `None` without candidates.
        drawings: The host networks, as in the catalog.
        shown: The place of that of the candidate shown first.
        trained: The hyperparameters with which it was trained, in words; empty where none were searched.
        styles: The look of each operator.
        spec: Its architecture as JSON to copy.
        command: The command that exports it; empty where it has no weights.
        head: What the network reads, and what it returns, in words.
        measures: The measures, the objectives first.
    """

    catalog: Catalog
    entry: Entry | None
    drawings: tuple[Drawing, ...]
    shown: int
    trained: str
    styles: dict[str, OperatorStyle]
    spec: str
    command: str
    head: tuple[str, str]
    measures: tuple[Measure, ...]

    @property
    def resampled(self) -> tuple[int, ...]:
        """The places of the points with a resampler; none where nobody chose another than `bilinear`."""
        if not self.catalog.resamplers:
            return ()
        points = ((place, row) for one in self.drawings for place, row in zip(one.places, one.rows, strict=True))
        return tuple(dict.fromkeys(place for place, row in points if row.point.before is not None))


def architecture_info(run: RunRecord, catalog: Catalog) -> ArchitectureInfo:
    """Return the drawing of the network and what stands in it first: the knee's operators."""
    entry = catalog.first
    return ArchitectureInfo(
        catalog=catalog,
        entry=entry,
        drawings=tuple(_drawing(catalog, network) for network in catalog.networks),
        shown=catalog.networks.index(catalog.network(entry)) if entry is not None else 0,
        trained=settings_in_words(entry.hyperparameters) if entry is not None else "",
        styles=operator_styles(catalog.operators),
        spec=json.dumps(entry.architecture.to_dict(), indent=2) if entry is not None else "",
        command=run.export_command(entry.id) if entry is not None and entry.state == "complete" else "",
        head=_head(run),
        measures=catalog.measures,
    )


def point_rows(catalog: Catalog, entry: Entry) -> tuple[PointRow, ...]:
    """Return what stands at each fusion point of a candidate, in the network's order."""
    chosen, network = dict(entry.architecture.choices), catalog.network(entry)
    costs = ((point, network.costs[point.name, chosen[point.name]]) for point in network.points)
    return tuple(PointRow(point, chosen[point.name], cost, *_shown(cost)) for point, cost in costs)


def architecture_data(info: ArchitectureInfo) -> dict[str, Any]:
    """Return what the page's script needs to draw any candidate: by host network the cost of each choice at a point."""
    networks = [
        {"space": network.ref.to_dict(), "costs": _costs(network, info.catalog.points)}
        for network in info.catalog.networks
    ]
    version = None if info.entry is None else info.entry.architecture.to_dict()["schema_version"]
    return {"networks": networks, "resampled": info.resampled, "schema_version": version}


def _costs(network: Network, points: Sequence[str]) -> list[dict[str, list[Any]]]:
    """Return the costs of each choice at each point; of a point that the network does not have, none."""
    found: dict[str, dict[str, list[Any]]] = {name: {} for name in points}
    for (name, choice), cost in network.costs.items():
        found[name][str(choice)] = [cost.params, cost.flops, *_shown(cost)]
    return list(found.values())


def _drawing(catalog: Catalog, network: Network) -> Drawing:
    candidates = [one for one in (catalog.first, *catalog.entries) if one is not None]
    entry = next(one for one in candidates if one.architecture.space == network.ref)
    places = tuple(catalog.points.index(point.name) for point in network.points)
    return Drawing(point_rows(catalog, entry), places, stages(network.points))


def _shown(cost: Cost) -> tuple[str, str]:
    return MEASURES["params"].format(cost.params), MEASURES["flops"].format(cost.flops)


def _head(run: RunRecord) -> tuple[str, str]:
    shape, classes = run.dataset.get("input_shape"), run.dataset.get("classes")
    reads = " × ".join(map(str, shape)) if isinstance(shape, list | tuple) else ""
    targets = run.dataset.get("targets")
    if isinstance(targets, Mapping):
        values = len(targets["mean"])
        return reads, "1 value" if values == 1 else f"{values} values"
    return reads, f"{len(classes)} classes" if isinstance(classes, list | tuple) and classes else ""


PANELS.register("architecture")(Panel(7, "Architecture", architecture_info, data=architecture_data))
