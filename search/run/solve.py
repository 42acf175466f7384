"""The best architectures within any budgets, by the library of a run: nothing is trained, nothing is written."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any

import optuna

from fusion_ops.errors import ConfigError, Infeasible, RunError
from reports.candidates.candidate import LIBRARY
from reports.library.effects import Change, Effect, Library
from reports.library.reading import library_of_run, library_rows, not_tried, parent_row, score_of
from reports.measures import MEASURES
from reports.run.run import load_run
from search.config import SearchConfig
from search.run.reopening import study_name
from search.run.searched_space import searched_space
from search.strategy.choice_problem import ChoiceProblem, Picked
from search.strategy.trials import operator_latency
from search.study.opening import load_study
from search.study.run_directory import RunDirectory
from spaces import Architecture
from spaces.latency import LatencyTable

__all__ = ["MOST", "Solution", "Solver", "parsed_budgets", "solve"]

EXACT = ("params", "flops")
LATENCY = "latency"
MOST = 1000


@dataclass(frozen=True, slots=True)
class Solution:
    """An architecture that the library recommends.

    Args:
        architecture: It.
        changes: By measure, what it is expected to change.
        predicted: By measure, what it is expected to show: what the parent shows, and those changes.
        costs: By measure: exact parameters and FLOPs, and latencies that add up from those of single operators.
    """

    architecture: Architecture
    changes: Mapping[str, Change]
    predicted: Mapping[str, float]
    costs: Mapping[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON-ready values; what is not known is `None`."""
        predicted: dict[str, float | None] = {}
        for name, value in self.predicted.items():
            change = self.changes[name]
            predicted |= {name: value, f"{name}_change": change.mean}
            predicted[f"{name}_error"] = None if math.isnan(change.error) else change.error
        return {
            "id": self.architecture.id,
            "architecture": self.architecture.to_dict(),
            "predicted": predicted,
            "costs": dict(self.costs),
        }


def parsed_budgets(pairs: Sequence[str]) -> dict[str, float]:
    """Return what `--budget KEY=VALUE` bounds, by key.

    Raises:
        ConfigError: One is not of that form, no number, or names a key once more.
    """
    budgets: dict[str, float] = {}
    for pair in pairs:
        key, equals, value = (part.strip() for part in pair.partition("="))
        if not key or not equals:
            raise ConfigError(f"`--budget` takes KEY=VALUE, for example params=500000; got {pair!r}.")
        if key in budgets:
            raise ConfigError(f"`--budget {key}` is given twice; give it once.")
        try:
            budgets[key] = float(value)
        except ValueError:
            raise ConfigError(f"`--budget {key}` must be a number above 0; got {value!r}.") from None
    return budgets


def solve(run_dir: str | Path, budgets: Mapping[str, float], count: int = 1) -> list[Solution]:
    """Return the best architectures within budgets, the best first; see `Solver`."""
    return Solver(run_dir).best(budgets, count)


class Solver:
    """Answers for any budgets, by the library of a run.

    What several choices change together is taken for the sum of what each changes alone. Where the run bounds an exact
    cost, that bound holds, too, unless a budget names that cost.

    Args:
        run_dir: The run directory.

    Attributes:
        run: The run.
        library: Its library.
        score: The measure by which architectures are compared.
        parent: What the parent shows, by measure.

    Raises:
        RunError: There is no such run, or it has no complete library; the message says what to do.
    """

    def __init__(self, run_dir: str | Path) -> None:
        self.run = load_run(run_dir)
        rows = library_rows(self.run)
        strategy = (self.run.config.get("search") or {}).get("strategy")
        if strategy != LIBRARY:
            raise RunError(
                f"{self.run.path} has no library, by which `solve` tells what each choice changes; launch a run with "
                "`search.strategy: library`."
            )
        parent = parent_row(self.run)
        self.space = searched_space(self.run, Architecture.from_json(parent["architecture"]))
        self.library = library_of_run(self.run, self.space)
        if left := not_tried(self.run, self.library):
            raise RunError(
                f"the library of {self.run.path} lacks {len(left)} choices that are not tried yet; `fusion-nas resume` "
                "goes on with it."
            )
        if not len(rows) or not all(self.library.effects):
            raise RunError(
                f"the library of {self.run.path} has no choice of {_first_without(self.library)}: see the reasons in "
                "its candidates.csv, put that right, then `fusion-nas resume`."
            )
        self.score = score_of(self.run.quality, rows)
        names = dict.fromkeys((self.run.quality.name, self.score))
        self.parent = {name: float(parent[MEASURES[name].column]) for name in names}

    @property
    def costs(self) -> tuple[str, ...]:
        """The costs that can be bounded: exact ones, and the latencies that add up from single operators."""
        return (*EXACT, *self._latencies)

    def best(self, budgets: Mapping[str, float], count: int = 1) -> list[Solution]:
        """Return the best architectures within budgets, at most so many, the best first.

        Args:
            budgets: By measure, at most what: `params`, `flops`, or a latency of which the run has measured its single
                operators.
            count: How many, from 1 to 1,000.

        Raises:
            ConfigError: A budget is of no such cost, or no number above 0; or `count` is out of its range.
            Infeasible: No architecture is within the budgets; the message has the nearest one that can be reached.
        """
        if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MOST:
            raise ConfigError(f"the number of architectures must be a whole number from 1 to {MOST:,}; got {count!r}.")
        bounds = self._bounds(budgets)
        found = self._problem(tuple(bounds)).best(bounds, count)
        if not found:
            raise self._unreachable(bounds)
        return [self._solution(picked) for picked in found]

    def front(self, cost: str, budgets: Mapping[str, float], most: int = 200) -> list[Solution]:
        """Return the predicted front of the score and a cost within budgets, from cheap to dear.

        Raises:
            ConfigError: A budget, or the cost, is of no such cost, or a budget no number above 0.
            Infeasible: No architecture is within the budgets.
        """
        self._require_known(cost, "--sweep")
        bounds = self._bounds(budgets)
        problem = self._problem(tuple(dict.fromkeys((*bounds, cost))))
        found = problem.front(cost, bounds, most)
        if not found:
            raise self._unreachable(bounds)
        return [self._solution(picked) for picked in reversed(found)]

    def predict(self, architecture: Architecture) -> Solution | None:
        """Return what is expected of an architecture; `None` where the library lacks one of its choices."""
        decisions = [slot.decision(architecture) for slot in self.space.slots]
        found = [
            next((one for one in row if one.choice == choice), None)
            for row, choice in zip(self.library.effects, decisions, strict=True)
        ]
        known = [one for one in found if one is not None]
        return self._predicted(known) if len(known) == len(found) else None

    def _bounds(self, budgets: Mapping[str, float]) -> dict[str, float]:
        for name, bound in budgets.items():
            self._require_known(name, "--budget")
            if isinstance(bound, bool) or not isinstance(bound, int | float) or not 0 < bound < math.inf:
                raise ConfigError(f"`--budget {name}` must be a number above 0; got {bound!r}.")
        own = {name: bound for name, bound in self.run.constraints.items() if name in EXACT}
        return {**own, **budgets}

    def _require_known(self, name: str, option: str) -> None:
        if name in self.costs:
            return
        known = ", ".join(f"`{one}`" for one in self.costs)
        if name in MEASURES and MEASURES[name].base == LATENCY:
            raise ConfigError(
                f"`{option} {name}`: this run has not measured the latencies of single operators, which add up to that "
                f"of a network; a run does where `{name}` is among its `objectives` and its sampler is `auto`. It "
                f"knows {known}."
            )
        if name in MEASURES:
            why = "is no cost" if MEASURES[name].quality else "does not add up from single operators"
            raise ConfigError(f"`{option}` bounds {known}; `{name}` {why}.")
        near = get_close_matches(name, self.costs, 1)
        raise ConfigError(f"`{option}` knows {known}; got `{name}`{f'; did you mean `{near[0]}`?' if near else '.'}")

    def _problem(self, costs: tuple[str, ...]) -> ChoiceProblem:
        rows = self.library.effects
        scores = [[MEASURES[self.score].loss(one.changes[self.score].mean) for one in row] for row in rows]
        return ChoiceProblem(
            scores,
            {name: [[self._of_choice(name, one) for one in row] for row in rows] for name in costs},
            {name: self._fixed(name) for name in costs},
        )

    def _of_choice(self, cost: str, effect: Effect) -> float:
        slot = self.space.slots[effect.slot]
        if cost in EXACT:
            return float(slot.cost(effect.choice).measures()[cost])
        table = self._latencies[cost]
        return sum(table.time(point, slot.at(point, effect.choice)) for point in slot.points)

    def _fixed(self, cost: str) -> float:
        return float(self.space.host.cost().measures()[cost]) if cost in EXACT else self._latencies[cost].rest

    def _solution(self, picked: Picked) -> Solution:
        pairs = zip(self.library.effects, picked.choices, strict=True)
        return self._predicted([row[index] for row, index in pairs])

    def _predicted(self, effects: list[Effect]) -> Solution:
        architecture = self.space.chosen([one.choice for one in effects])
        changes = {name: self.library.total(effects, name) for name in self.parent}
        predicted = {name: value + changes[name].mean for name, value in self.parent.items()}
        costs: dict[str, float] = dict(self.space.cost(architecture).measures())
        costs |= {name: table.predict(architecture, self.space) for name, table in self._latencies.items()}
        return Solution(architecture, changes, predicted, costs)

    def _unreachable(self, bounds: Mapping[str, float]) -> Infeasible:
        nearest = self._problem(tuple(bounds)).nearest(bounds)
        asked = ", ".join(f"{name}={_number(bound)}" for name, bound in bounds.items())
        reached = " ".join(f"--budget {name}={_number(nearest.costs[name], up=True)}" for name in bounds)
        return Infeasible(f"no architecture is within {asked}; the nearest that one is within: {reached}")

    @cached_property
    def _latencies(self) -> dict[str, LatencyTable]:
        """The latencies of which the run has measured its single operators."""
        names = [name for name in self.run.objectives if MEASURES[name].base == LATENCY]
        if not names:
            return {}
        directory = RunDirectory(self.run.path)
        config = SearchConfig.load(directory.config)
        study = load_study(
            directory.study,
            config.storage.url,
            self.run.objectives,
            optuna.samplers.RandomSampler(seed=0),
            str(config.resolved.get("study") or study_name(directory)),
            guessed="study" not in config.resolved,
            copied=True,
        )
        kept = {name: study.user_attrs.get(operator_latency(name)) for name in names}
        return {name: LatencyTable.from_dict(values) for name, values in kept.items() if values}


def _first_without(library: Library) -> str:
    rows = zip(library.space.slots, library.effects, strict=True)
    return next(slot.name for slot, row in rows if not row)


def _number(value: float, *, up: bool = False) -> str:
    """Return a number as a budget takes it; one that is to be reached rounded up."""
    if float(value).is_integer():
        return str(int(value))
    return f"{math.ceil(value * 1e4) / 1e4:.4f}" if up else f"{value:g}"
