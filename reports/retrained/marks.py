"""Retrained networks as marks of the trade-off: validation measures, which the search's marks can be compared with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

import pandas as pd

from reports.phrases import describe
from reports.retrained.means import mean_of
from reports.retrained.record import DEFAULT_RECIPE
from reports.run.catalog import Catalog
from reports.run.run import RunRecord
from spaces import Architecture

__all__ = ["RetrainedMark", "retrained_marks"]


@dataclass(frozen=True, slots=True)
class RetrainedMark:
    """One network, retrained by the run's own recipe.

    Args:
        id: Id of its architecture.
        role: What it is there for.
        description: The network in a few words.
        place: Its place in the catalog; `None` where the search had not trained it.
        seeds: Seeds.
        values: Measures by name; of the quality the mean of its best validation measures.
        half: Half of the 95 % interval of that mean (Student's t over seeds); `None` with one seed.
    """

    id: str
    role: str
    description: str
    place: int | None
    seeds: int
    values: Mapping[str, float | None]
    half: float | None

    @property
    def hover(self) -> str:
        """What its mark says when pointed at, escaped for Plotly."""
        seeds = f"{self.seeds} seed{'s' if self.seeds != 1 else ''}"
        words = self.description.replace("`", "")
        return f"<b>retrained</b>  {escape(self.id)}<br>{escape(words)}<br>{escape(self.role)}, {seeds}"


def retrained_marks(run: RunRecord, catalog: Catalog) -> tuple[RetrainedMark, ...]:
    """Return a mark for each network that was retrained by the run's own recipe."""
    rows = run.retrained
    if rows.empty:
        return ()
    rows = rows[(rows["state"] == "complete") & (rows["recipe"] == DEFAULT_RECIPE)]
    places = {entry.id: index for index, entry in enumerate(catalog.entries)}
    return tuple(_mark(same, catalog, places) for _, same in rows.groupby("id", sort=False))


def _mark(rows: pd.DataFrame, catalog: Catalog, places: Mapping[str, int]) -> RetrainedMark:
    first = rows.iloc[0]
    return RetrainedMark(
        id=first["id"],
        role=first["role"].replace("_", " "),
        description=describe(Architecture.from_json(first["architecture"])),
        place=places.get(first["id"]),
        seeds=len(rows),
        values={measure.name: mean_of(rows, measure.column).value for measure in catalog.measures},
        half=mean_of(rows, catalog.quality.column).half,
    )
