"""A table of candidates from any tool, read: what a report without architectures works on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from reports.candidates.candidate import STATES
from reports.measures import MEASURES, Measure
from reports.tables.cells import is_unset, text_of
from reports.tables.columns import MISSING, completed, with_epochs
from reports.tables.names import named_as_text
from reports.tables.objectives import Objectives, quality_among, resolved
from reports.tables.own_columns import is_beside, is_parameter
from reports.tables.ranking import ranked

__all__ = ["TableRecord", "table_record"]


@dataclass(frozen=True)
class TableRecord:
    """The candidates, completed and checked.

    Args:
        name: What the table is called.
        table: All rows.
        objectives: The objectives.
        measures: The objectives, then all known measures that have values.
        parameters: Columns that are none of fusion-nas: what the search chose.
        missing: What the table lacks and how it was completed, in sentences.
    """

    name: str
    table: pd.DataFrame
    objectives: tuple[Measure, ...]
    measures: tuple[Measure, ...]
    parameters: tuple[str, ...]
    missing: tuple[str, ...]

    @property
    def quality(self) -> Measure:
        """The first objective that says how good a candidate is."""
        return quality_among(self.objectives)

    @cached_property
    def ranked(self) -> pd.DataFrame:
        """The complete candidates, best first."""
        return ranked(self.table, self.objectives)

    @property
    def counts(self) -> Mapping[str, int]:
        """How many ended in which state; what did not occur is not there."""
        counts = self.table["state"].value_counts().to_dict()
        return {state: int(counts[state]) for state in STATES if state in counts}

    def settings(self, row: Mapping[Any, Any]) -> dict[str, str]:
        """Return the parameters of a row that it has."""
        return {name: text_of(row[name]) for name in self.parameters if not is_unset(row[name])}


def table_record(table: pd.DataFrame, objectives: Objectives, name: str = "table") -> TableRecord:
    """Read a table.

    Raises:
        FusionNasError: As `reports.rank`.
    """
    measures = resolved(objectives)
    quality_among(measures)
    table = named_as_text(table)
    whole = with_epochs(completed(table, measures))
    others = [MEASURES[known] for known in MEASURES if MEASURES[known] not in measures]
    columns = {measure.column for measure in measures}
    beside = [one for one in others if one.column in table.columns and one.column not in columns]
    shown = tuple(one for one in beside if pd.to_numeric(table[one.column], errors="coerce").notna().any())
    for one in shown:
        whole[one.column] = pd.to_numeric(table[one.column], errors="coerce")
    rest = [column for column in table.columns if column not in columns]
    aside = [
        f"column `{column}` is set aside: fusion-nas writes one of that name" for column in rest if is_beside(column)
    ]
    parameters = tuple(column for column in rest if is_parameter(column))
    missing = tuple(dict.fromkeys((*whole.attrs.get(MISSING, ()), *aside)))
    whole.attrs = {**whole.attrs, MISSING: missing}
    return TableRecord(name, whole, measures, (*measures, *shown), parameters, missing)
