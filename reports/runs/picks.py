"""The best candidate and the knee of each run, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from reports.measures import Measure
from reports.phrases import describe
from reports.runs.side import Side
from spaces import Architecture

__all__ = ["Pick", "best_of", "knee_of", "picked"]


@dataclass(frozen=True, slots=True)
class Pick:
    """A candidate of a run.

    Args:
        side: The run.
        id: Id of its architecture.
        number: Its number in that run.
        description: Its architecture in a few words.
        values: Its measures by name; `None` for what was not measured.
        knee: Whether it is its run's knee.
    """

    side: Side
    id: str
    number: int
    description: str
    values: Mapping[str, float | None]
    knee: bool

    @property
    def label(self) -> str:
        """The candidate with its run: `A:22ae05c307`."""
        return f"{self.side.letter}:{self.id}"


def picked(side: Side, rows: pd.DataFrame, measures: Sequence[Measure]) -> tuple[Pick, ...]:
    """Return rows of a run's ranking as candidates to show."""
    return tuple(_pick(side, row, measures) for row in rows.to_dict("records"))


def best_of(side: Side, measures: Sequence[Measure]) -> Pick | None:
    """Return the candidate of the best quality, or `None` where none is complete."""
    quality = side.run.quality
    losses = quality.sign * side.ranked[quality.column].to_numpy(np.float64)
    if not np.isfinite(losses).any():
        return None
    place = int(np.nanargmin(losses))
    return picked(side, side.ranked.iloc[place : place + 1], measures)[0]


def knee_of(side: Side, measures: Sequence[Measure]) -> Pick | None:
    """Return the knee of the run's front, or `None` without a front."""
    return next(iter(picked(side, side.ranked[side.ranked["knee"]], measures)), None)


def _pick(side: Side, row: Mapping[Any, Any], measures: Sequence[Measure]) -> Pick:
    values = {measure.name: _known(row.get(measure.column)) for measure in measures}
    description = describe(Architecture.from_json(row["architecture"]))
    return Pick(side, row["id"], int(row["number"]), description, values, bool(row["knee"]))


def _known(value: Any) -> float | None:
    return None if value is None or pd.isna(value) else float(value)
