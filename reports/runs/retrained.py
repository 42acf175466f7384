"""The retrained networks of several runs: means over seeds, with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from fusion_ops.errors import RunError
from reports.measures import ABSENT, Measure, tested
from reports.phrases import describe
from reports.retrained.means import Mean, mean_of
from reports.retrained.participant import ROLES
from reports.retrained.record import DEFAULT_RECIPE, read_retrain_record
from reports.runs.side import Side
from spaces import Architecture

__all__ = ["Retrained", "RetrainedInfo", "interval", "retrained_info"]


@dataclass(frozen=True, slots=True)
class Retrained:
    """One network of a run, retrained under one recipe.

    Args:
        side: The run.
        id: Id of its architecture.
        role: What it is there for.
        recipe: The recipe.
        description: The network in a few words.
        trainings: Trainings that were begun.
        validated: The validation measure, by which the fronts are drawn.
        tested: The measure on the test images.
        values: Measures by name, means over the seeds; of the quality as `validated`.
    """

    side: Side
    id: str
    role: str
    recipe: str
    description: str
    trainings: int
    validated: Mean
    tested: Mean
    values: Mapping[str, float | None]

    @property
    def label(self) -> str:
        """The network with its run: `A:22ae05c307`."""
        return f"{self.side.letter}:{self.id}"

    @property
    def seeds(self) -> str:
        """How many seeds there are, and of how many where some have not come to an end: `4 of 5`."""
        done = self.validated.seeds
        return str(done) if done == self.trainings else f"{done} of {self.trainings}"

    @property
    def own_recipe(self) -> bool:
        """Whether it was trained as the search trains, so that it can stand beside what the search has found."""
        return self.recipe == DEFAULT_RECIPE


@dataclass(frozen=True, slots=True)
class RetrainedInfo:
    """What is shown of them.

    Args:
        quality: The measure of quality.
        rows: The networks, by run, recipe and role.
        without: Letters of the runs that have none.
        tests: Whether test measures of the runs can be compared, in a sentence; empty for a single run.
    """

    quality: Measure
    rows: tuple[Retrained, ...]
    without: tuple[str, ...]
    tests: str

    @property
    def recipes(self) -> tuple[str, ...]:
        """The recipes under which any network was trained."""
        return tuple(dict.fromkeys(row.recipe for row in self.rows))

    def of(self, side: Side) -> tuple[Retrained, ...]:
        """Return the networks of a run that can be drawn beside its front."""
        return tuple(row for row in self.rows if row.side is side and row.own_recipe)


def retrained_info(sides: Sequence[Side], measures: Sequence[Measure]) -> RetrainedInfo:
    """Return the retrained networks of runs; those of which no training has ended are there, without a mean.

    Args:
        sides: The runs.
        measures: What is shown of each, by which the fronts may be drawn.
    """
    rows = [row for side in sides for row in _rows(side, measures)]
    there = [side for side in sides if any(row.side is side for row in rows)]
    return RetrainedInfo(
        sides[0].run.quality,
        tuple(rows),
        tuple(side.letter for side in sides if side not in there),
        _tests(there),
    )


def interval(measure: Measure, mean: Mean) -> str:
    """Return a mean with its interval: `91.20 % ± 0.31 points`, `0.4213 ± 0.012`."""
    if mean.value is None or mean.half is None:
        return measure.format(mean.value) if mean.value is not None else ABSENT
    half = f"{100 * mean.half:.2f} points" if measure.style == "percent" else f"{mean.half:.2g}"
    return f"{measure.format(mean.value)} ± {half}"


def _rows(side: Side, measures: Sequence[Measure]) -> list[Retrained]:
    table = side.run.retrained
    if table.empty:
        return []
    found = [_row(side, rows, measures) for _, rows in table.groupby(["recipe", "id"], sort=False)]
    return sorted(found, key=lambda row: (not row.own_recipe, row.recipe, _place(row.role)))


def _row(side: Side, rows: pd.DataFrame, measures: Sequence[Measure]) -> Retrained:
    first, done, quality = rows.iloc[0], rows[rows["state"] == "complete"], side.run.quality
    return Retrained(
        side=side,
        id=first["id"],
        role=first["role"].replace("_", " "),
        recipe=first["recipe"],
        description=describe(Architecture.from_json(first["architecture"])),
        trainings=len(rows),
        validated=mean_of(done, quality.column),
        tested=mean_of(done, tested(quality.column)),
        values={measure.name: mean_of(done, measure.column).value for measure in measures},
    )


def _place(role: str) -> int:
    named = role.replace(" ", "_")
    return ROLES.index(named) if named in ROLES else len(ROLES)


def _tests(sides: Sequence[Side]) -> str:
    """Return whether the runs were tested on the same images."""
    if len(sides) < 2:
        return ""
    try:
        records = [record for side in sides if (record := read_retrain_record(side.run.path)) is not None]
    except RunError as error:
        return f"Whether they were tested on the same images is not known: {error}"
    if len(records) < len(sides) or not all(record.test_digest for record in records):
        return "Whether they were tested on the same images is not recorded: compare test measures within a run only."
    if len({record.test_digest for record in records}) > 1:
        return "They were tested on different images: compare test measures within a run only."
    return f"All were tested on the same {records[0].test_images:,} images."
