"""Panel 4: all complete candidates in a table, best first, and why the others have no rank."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from reports.drawing.palette import OperatorStyle, operator_styles
from reports.measures import Measure
from reports.panels.panel import PANELS, Panel
from reports.run.catalog import Catalog, Entry
from reports.run.none_ranked import NoneRanked, none_ranked
from reports.run.run import RunRecord

__all__ = ["RankingInfo", "RankingRow", "ranking_data", "ranking_info"]

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
        none: Why no candidate is ranked; `None` where one is.
        beyond: What is complete and breaks a constraint, the least violating first.
        unranked: All that are not ranked.
        styles: The look of each operator.
        shown: Rows of the ranking that the page holds, all of the front among them; its script makes the others.
        shown_unranked: Rows of the others that it holds.
    """

    measures: tuple[Measure, ...]
    objectives: tuple[str, ...]
    rows: tuple[RankingRow, ...]
    none: NoneRanked | None
    beyond: tuple[Entry, ...]
    unranked: tuple[Entry, ...]
    styles: dict[str, OperatorStyle]
    shown: int
    shown_unranked: int = SHOWN


def ranking_info(run: RunRecord, catalog: Catalog) -> RankingInfo:
    """Return the rows of the ranking."""
    rows = tuple(RankingRow(entry, run.export_command(entry.id), _checkpoint(run, entry)) for entry in catalog.ranked)
    return RankingInfo(
        measures=catalog.measures,
        objectives=run.objectives,
        rows=rows,
        none=none_ranked(run),
        beyond=catalog.beyond,
        unranked=catalog.unranked,
        styles=operator_styles(catalog.operators),
        shown=max(SHOWN, sum(row.entry.on_front for row in rows)),
    )


def ranking_data(info: RankingInfo) -> dict[str, Any]:
    """Return what the script needs beyond the candidates: the weights by id."""
    return {"checkpoints": {row.entry.id: row.checkpoint for row in info.rows if row.checkpoint}}


def _checkpoint(run: RunRecord, entry: Entry) -> str:
    path = run.checkpoint(entry.id)
    return path.relative_to(run.path).as_posix() if path.is_file() else ""


PANELS.register("ranking")(Panel(6, "Ranking", ranking_info, data=ranking_data))
