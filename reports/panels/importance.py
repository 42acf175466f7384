"""Panel 8: what share of the differences in quality each fusion point accounts for."""

from __future__ import annotations

from dataclasses import dataclass

from reports.marginal.cells import Effects
from reports.marginal.run_effects import effects_of_run, qualities
from reports.marginal.shares import Share, importance_of
from reports.measures import Measure
from reports.panels.panel import PANELS, Panel
from reports.phrases import signed_points
from reports.run.catalog import Catalog
from reports.run.run import RunRecord

__all__ = ["Bar", "ImportanceInfo", "ImportanceView", "importance_info", "view_of"]


@dataclass(frozen=True, slots=True)
class Bar:
    """A row: a share with its interval, all in percent.

    Args:
        name: The points, or what else.
        value: The share.
        low: Lower end.
        high: Upper end.
        evidence: Whether there is enough evidence that it matters; `None` where that is no question.
        span: What the best operator there adds beyond the worst one, in words; empty where that is no question.
        best: That operator.
    """

    name: str
    value: float
    low: float
    high: float
    evidence: bool | None = None
    span: str = ""
    best: str = ""


@dataclass(frozen=True, slots=True)
class ImportanceView:
    """What is shown of one quality.

    Args:
        measure: The quality.
        size: Number of candidates.
        problem: Why there is no importance; empty where there is.
        sure: Names of the points that are sure to matter, the most important first.
        points: Each point, the most important first.
        others: r, and what is left.
        alone: Points at which one operator alone was tried.
    """

    measure: Measure
    size: int
    problem: str
    sure: tuple[str, ...]
    points: tuple[Bar, ...]
    others: tuple[Bar, ...]
    alone: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ImportanceInfo:
    """What the panel shows: a view of each quality."""

    views: tuple[ImportanceView, ...]


def importance_info(run: RunRecord, catalog: Catalog) -> ImportanceInfo:
    """Return the importance of each point for every quality."""
    return ImportanceInfo(
        tuple(view_of(measure, effects_of_run(run, catalog, measure)) for measure in qualities(catalog))
    )


def view_of(measure: Measure, effects: Effects) -> ImportanceView:
    """Return what is shown of one quality."""
    found = importance_of(effects)
    alone = tuple(line.name for line in effects.points if len(line.cells) < 2)
    if found is None:
        return ImportanceView(measure, effects.size, effects.problem, (), (), (), alone)
    others = [_bar("r, at all points", found.ratios)] if found.ratios is not None else []
    return ImportanceView(
        measure=measure,
        size=effects.size,
        problem="",
        sure=tuple(share.name for share in found.points if share.evidence),
        points=tuple(_point(measure, share, effects) for share in found.points),
        others=(*others, _bar("all else: seeds, interactions", found.rest)),
        alone=alone,
    )


def _bar(name: str, share: Share) -> Bar:
    return Bar(name, 100 * share.value, 100 * share.low, 100 * share.high)


def _point(measure: Measure, share: Share, effects: Effects) -> Bar:
    line = next(line for line in effects.points if line.name == share.name)
    known = {label: cell.effect for label, cell in line.cells.items() if cell.effect is not None}
    best = max(known, key=lambda label: known[label])
    span = signed_points(measure, known[best] - min(known.values()))
    return Bar(share.name, 100 * share.value, 100 * share.low, 100 * share.high, share.evidence, span, best)


PANELS.register("importance")(Panel(10, "Importance of each fusion point", importance_info, short="Importance"))
