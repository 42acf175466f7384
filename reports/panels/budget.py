"""Panel 3: the most of every cost and the least of the quality that the reader allows; all panels follow."""

from __future__ import annotations

from dataclasses import dataclass

from reports.measures import Measure
from reports.panels.panel import PANELS, Panel
from reports.run.catalog import Catalog
from reports.run.run import RunRecord

__all__ = ["BudgetInfo", "Limit", "budget_info"]


@dataclass(frozen=True, slots=True)
class Limit:
    """A measure that can be limited.

    Args:
        measure: The measure.
        steps: Its values among the complete candidates (among all where none is complete), each once, the least first:
            where the slider stops.
    """

    measure: Measure
    steps: tuple[float, ...]

    @property
    def bound(self) -> str:
        """Whether the limit is an upper or a lower one, in words."""
        return "at most" if self.measure.direction == "minimize" else "at least"


@dataclass(frozen=True, slots=True)
class BudgetInfo:
    """What the panel shows.

    Args:
        limits: What can be limited: costs first, then qualities. Only what some candidate has a value of.
        candidates: How many candidates there are.
        complete: How many of them are complete.
    """

    limits: tuple[Limit, ...]
    candidates: int
    complete: int


def budget_info(run: RunRecord, catalog: Catalog) -> BudgetInfo:
    """Return what can be limited: every measure but the qualities that are no objective."""
    shown = [one for one in catalog.measures if not one.quality or one is catalog.quality or one.name in run.objectives]
    limits = [Limit(one, _steps(catalog, one)) for one in sorted(shown, key=lambda one: one.quality)]
    kept = tuple(limit for limit in limits if limit.steps)
    return BudgetInfo(kept, len(catalog.entries), len(catalog.ranked))


def _steps(catalog: Catalog, measure: Measure) -> tuple[float, ...]:
    values = (entry.values[measure.name] for entry in catalog.ranked or catalog.entries)
    return tuple(sorted({value for value in values if value is not None}))


PANELS.register("budget")(Panel(4, "Budgets", budget_info))
