"""Every candidate of a run with its architecture: what the panels show and the page's script knows."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar, cast

import pandas as pd

from fusion_ops import Cost, FusionChoice
from fusion_ops.errors import SpecError
from reports.candidates import table as candidates
from reports.candidates.candidate import RANDOM, Candidate
from reports.candidates.hyperparameters import kept as kept_hyperparameters
from reports.measures import Measure
from reports.phrases import describe, uniform_operator
from reports.run.run import RunRecord
from reports.run.unranked import MOST, on_page, without_rank
from spaces import Architecture, FusionPoint, SpaceRef, from_ref
from spaces.hyperparameter import HOST

__all__ = ["Catalog", "Entry", "Network", "make_catalog"]

T = TypeVar("T")


@dataclass(slots=True, kw_only=True)
class Entry(Candidate):
    """A candidate as its row of the table has it, and its place among the others; its curve is of the quality alone.

    Args:
        values: Measures by name; of a candidate that is not complete, the quality after its last epoch.
        rank: Pareto rank; `None` unless complete.
        contribution: Share of the front's hypervolume; `None` unless complete.
        knee: Whether it is the front's knee.
        beyond: Whether it is complete and breaks a constraint.
        violation: By how much, in proportion to the bounds; `None` where that is not known, or it breaks none.
    """

    values: Mapping[str, float | None]
    rank: int | None = None
    contribution: float | None = None
    knee: bool = False
    beyond: bool = False
    violation: float | None = None

    @property
    def on_front(self) -> bool:
        """Whether no other candidate is better in every objective."""
        return self.rank == 1

    @property
    def description(self) -> str:
        """The architecture in a few words."""
        return describe(self.architecture)

    @property
    def operator(self) -> str | None:
        """The operator of a uniform network, else `None`."""
        return uniform_operator(self.architecture)


@dataclass(frozen=True, slots=True)
class Network:
    """A host network that candidates have.

    Args:
        ref: Its reference.
        points: Its fusion points, in the order in which data pass them.
        costs: Exact cost of a choice at a point, for all that occur.
    """

    ref: SpaceRef
    points: tuple[FusionPoint, ...]
    costs: Mapping[tuple[str, FusionChoice], Cost]


@dataclass(frozen=True, slots=True)
class Catalog:
    """All candidates of a run, each architecture with its hyperparameters once.

    Args:
        measures: What is shown of a candidate; the objectives first.
        quality: The measure of quality.
        entries: The ranked candidates, best first; then what is complete and breaks a constraint, the least violating
            first; then the others by number, of a long run a part of them.
        drawn: What was drawn at random and trained in full to compare the search with, by number. It is not ranked.
        networks: The host networks, several where the search chose a setting such as their width; that of the first
            candidate first.
        points: Names of the fusion points, in the order of the network; where host networks differ in them, all that
            occur.
        hyperparameters: What the search chose beside operators, by key.
        left_out: How many others the run has that are not among the entries, by state.
    """

    measures: tuple[Measure, ...]
    quality: Measure
    entries: tuple[Entry, ...]
    drawn: tuple[Entry, ...]
    networks: tuple[Network, ...]
    points: tuple[str, ...]
    hyperparameters: tuple[str, ...] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)
    _known: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def once(self, name: str, make: Callable[[], T]) -> T:
        """Return what `make` does, worked out once for all who ask for it by its name."""
        if name not in self._known:
            self._known[name] = make()
        return cast(T, self._known[name])

    def network(self, entry: Entry) -> Network:
        """Return the host network of a candidate."""
        return next(one for one in self.networks if one.ref == entry.architecture.space)

    @property
    def ranked(self) -> tuple[Entry, ...]:
        """The ranked candidates, best first."""
        return tuple(entry for entry in self.entries if entry.rank is not None)

    @property
    def unranked(self) -> tuple[Entry, ...]:
        """All others that the page holds, by number."""
        return tuple(entry for entry in self.entries if entry.rank is None)

    @property
    def beyond(self) -> tuple[Entry, ...]:
        """The complete candidates that break a constraint, the least violating first."""
        return tuple(entry for entry in self.entries if entry.beyond)

    @property
    def complete(self) -> tuple[Entry, ...]:
        """The ranked candidates; where there is none, those that break a constraint."""
        return self.ranked or self.beyond

    @property
    def by_quality(self) -> tuple[Entry, ...]:
        """The ranked candidates by quality; equals keep the ranking's order."""
        return tuple(sorted(self.ranked, key=lambda entry: self.quality.loss(entry.values[self.quality.name])))

    @property
    def operators(self) -> tuple[str, ...]:
        """Every operator that occurs, by name."""
        return tuple(sorted({choice.name for choice in self._choices}))

    @property
    def resamplers(self) -> tuple[str, ...]:
        """Every resampler that occurs beside `bilinear`, by name."""
        return tuple(sorted({choice.resampler for choice in self._choices if choice != choice.operator}))

    @property
    def _choices(self) -> set[FusionChoice]:
        return {choice for network in self.networks for _, choice in network.costs}

    @property
    def best(self) -> Entry | None:
        """The candidate of the best quality."""
        return next(iter(self.by_quality), None)

    @property
    def first(self) -> Entry | None:
        """The candidate to look at first: the knee, else the first of all."""
        return next((entry for entry in self.entries if entry.knee), next(iter(self.entries), None))


def make_catalog(run: RunRecord) -> Catalog:
    """Return the candidates of a run.

    Each architecture with its hyperparameters is there once: as it is ranked, else by its first row.

    Raises:
        SpecError: An architecture is damaged, belongs to another space than the others, or to a space or
            an operator that is not registered here.
    """
    rest = without_rank(run)
    held = on_page(rest, MOST)
    rows: dict[str, Mapping[Any, Any]] = {}
    for row in itertools.chain(
        *(part.to_dict("records") for part in (run.ranked, run.beyond.assign(beyond=True), run.table.loc[held.index]))
    ):
        rows.setdefault(row["id"], row)
    entries = tuple(_entry(row, run) for row in rows.values())
    drawn = _drawn(run, {entry.id for entry in entries if entry.state == "complete"})
    every = (*entries, *drawn)
    if not any(name.startswith(HOST) for name in run.hyperparameters):
        _require_one_space(every)
    refs = dict.fromkeys(entry.architecture.space for entry in every)
    networks = tuple(_network(ref, [one for one in every if one.architecture.space == ref]) for ref in refs)
    # Those of the network with the most of them come in its order.
    largest_first = sorted(networks, key=lambda network: -len(network.points))
    points = tuple(dict.fromkeys(point.name for network in largest_first for point in network.points))
    left_out = Counter(rest["state"]) - Counter(held["state"])
    return Catalog(run.measures, run.quality, entries, drawn, networks, points, tuple(run.hyperparameters), left_out)


def _drawn(run: RunRecord, known: Set[str]) -> tuple[Entry, ...]:
    """Return what was drawn at random and trained in full, beside what is known already."""
    if run.contests.empty:
        return ()
    rows = run.contests[(run.contests["series"] == RANDOM) & (run.contests["state"] == "complete")]
    found = rows[~rows["id"].isin(known)].drop_duplicates("id").sort_values("number", kind="stable")
    return tuple(_entry(row, run) for row in found.to_dict("records"))


def _entry(row: Mapping[Any, Any], run: RunRecord) -> Entry:
    measures, quality = run.measures, run.quality
    curve = candidates.curve(row["curve"])
    values = {measure.name: _finite(row.get(measure.column)) for measure in measures}
    if row["state"] != "complete" and curve:
        values[quality.name] = _finite(curve[-1])
    kept = {one.name: row[one.name] for one in fields(Candidate) if one.name in row and not pd.isna(row[one.name])}
    names = ("rank", "contribution", "knee", "beyond", "violation")
    ranked = {name: row[name] for name in names if name in row and not pd.isna(row[name])}
    read = {
        "architecture": Architecture.from_json(row["architecture"]),
        "curve": [{quality.name: value} for value in curve],
        "measured": candidates.measured_costs(row),
        "hyperparameters": kept_hyperparameters(row, run.hyperparameters),
    }
    return Entry(**kept | ranked | read, values=values)


def _require_one_space(entries: Sequence[Entry]) -> None:
    refs = {entry.architecture.space for entry in entries}
    if len(refs) > 1:
        names = ", ".join(sorted(str(ref.to_dict()) for ref in refs))
        raise SpecError(f"the candidates of a report belong to one space; got {names}.")


def _network(ref: SpaceRef, entries: Sequence[Entry]) -> Network:
    points = from_ref(ref).points
    chosen = dict.fromkeys(pair for entry in entries for pair in entry.architecture.choices)
    by_name = {point.name: point for point in points}
    for entry in entries:
        have = {name for name, _ in entry.architecture.choices}
        if have != set(by_name):
            raise SpecError(
                f"architecture {entry.id} chooses at {', '.join(sorted(have))}; "
                f"its space has the points {', '.join(by_name)}."
            )
    return Network(ref, points, {(name, choice): by_name[name].cost(choice) for name, choice in chosen})


def _finite(value: Any) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None
