"""Panel 4: all complete candidates in a table, best first, and why the others have no rank."""

from __future__ import annotations

from dataclasses import dataclass

from reports.catalog import Catalog, Entry
from reports.commands import export_command
from reports.measures import Measure
from reports.palette import OperatorStyle, operator_styles
from reports.panel import PANELS, Panel
from reports.run import RunRecord

__all__ = ["RankingInfo", "RankingRow", "ranking_info"]

SHOWN = 25


@dataclass(frozen=True, slots=True)
class RankingRow:
    """A row of the table.

    Args:
        entry: The candidate.
        command: The command that exports it.
        checkpoint: Its weights, relative to the run directory; empty where there are none.
    """

    entry: Entry
    command: str
    checkpoint: str


@dataclass(frozen=True, slots=True)
class RankingInfo:
    """What the panel shows.

    Args:
        measures: The measures, the objectives first.
        objectives: Names of the objectives.
        rows: The ranked candidates, best first.
        unranked: All others.
        styles: The look of each operator.
        shown: Rows shown before all are asked for.
    """

    measures: tuple[Measure, ...]
    objectives: tuple[str, ...]
    rows: tuple[RankingRow, ...]
    unranked: tuple[Entry, ...]
    styles: dict[str, OperatorStyle]
    shown: int = SHOWN


def ranking_info(run: RunRecord, catalog: Catalog) -> RankingInfo:
    """Return the rows of the ranking."""
    rows = tuple(
        RankingRow(entry, export_command(run.path, entry.id), _checkpoint(run, entry)) for entry in catalog.ranked
    )
    return RankingInfo(catalog.measures, run.objectives, rows, catalog.unranked, operator_styles(catalog.operators))


def _checkpoint(run: RunRecord, entry: Entry) -> str:
    path = run.checkpoint(entry.id)
    return path.relative_to(run.path).as_posix() if path.is_file() else ""


PANELS.register("ranking")(Panel(4, "Ranking", ranking_info))
