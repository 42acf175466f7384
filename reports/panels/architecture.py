"""Panel 5: the network of a candidate, drawn, with every fusion point's operator and exact cost."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fusion_ops import Cost, FusionChoice
from reports.drawing.diagram import Stage, stages
from reports.drawing.palette import OperatorStyle, operator_styles
from reports.measures import MEASURES, Measure
from reports.panels.panel import PANELS, Panel
from reports.run.catalog import Catalog, Entry
from reports.run.run import RunRecord
from spaces import FusionPoint

__all__ = ["ArchitectureInfo", "PointRow", "architecture_data", "architecture_info", "point_rows"]


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
class ArchitectureInfo:
    """What the panel shows.

    Args:
        catalog: The candidates to choose from.
        entry: The candidate shown first; `None` without candidates.
        rows: Its fusion points.
        stages: The drawing.
        styles: The look of each operator.
        spec: Its architecture as JSON to copy.
        command: The command that exports it; empty where it has no weights.
        head: What the network reads, and what it returns, in words.
        measures: The measures, the objectives first.
    """

    catalog: Catalog
    entry: Entry | None
    rows: tuple[PointRow, ...]
    stages: tuple[Stage, ...]
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
        return tuple(place for place, point in enumerate(self.catalog.points) if point.before is not None)


def architecture_info(run: RunRecord, catalog: Catalog) -> ArchitectureInfo:
    """Return the drawing of the network and what stands in it first: the knee's operators."""
    entry = catalog.first
    return ArchitectureInfo(
        catalog=catalog,
        entry=entry,
        rows=point_rows(catalog, entry) if entry is not None else (),
        stages=stages(catalog.points),
        styles=operator_styles(catalog.operators),
        spec=json.dumps(entry.architecture.to_dict(), indent=2) if entry is not None else "",
        command=run.export_command(entry.id) if entry is not None and entry.state == "complete" else "",
        head=_head(run),
        measures=catalog.measures,
    )


def point_rows(catalog: Catalog, entry: Entry) -> tuple[PointRow, ...]:
    """Return what stands at each fusion point of a candidate, in the network's order."""
    chosen = dict(entry.architecture.choices)
    costs = ((point, catalog.costs[point.name, chosen[point.name]]) for point in catalog.points)
    return tuple(PointRow(point, chosen[point.name], cost, *_shown(cost)) for point, cost in costs)


def architecture_data(info: ArchitectureInfo) -> dict[str, Any]:
    """Return what the page's script needs to draw any candidate: the cost of each choice at each point."""
    costs: list[dict[str, list[Any]]] = [
        {
            str(choice): [cost.params, cost.flops, *_shown(cost)]
            for (name, choice), cost in info.catalog.costs.items()
            if name == point.name
        }
        for point in info.catalog.points
    ]
    frame = info.entry.architecture.to_dict() if info.entry is not None else {}
    shape = {name: frame.get(name) for name in ("space", "schema_version")}
    return {"costs": costs, "resampled": info.resampled, **shape}


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
