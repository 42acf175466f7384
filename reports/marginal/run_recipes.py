"""What the candidates of a run say of operators and of the hyperparameters that it searched."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reports.candidates.candidate import RANDOM
from reports.candidates.table import RANKED_KINDS
from reports.marginal.recipe_model import Factor, basis
from reports.marginal.recipes import Recipes, recipes_of
from reports.run.catalog import Catalog, Entry
from reports.run.run import RunRecord
from spaces.hyperparameter import Range, Searched, Values

__all__ = ["counted", "main_operator", "recipe_columns", "recipes_of_run", "searched"]

Array = NDArray[np.float64]
# How far places are apart that have little to do with each other, where hyperparameters are but taken out.
_LENGTH = 0.5


def searched(run: RunRecord) -> tuple[Searched, ...]:
    """Return the hyperparameters that the search chose beside operators."""
    return tuple(
        _searched(name, given, real=run.table[name].dtype.kind == "f") for name, given in run.hyperparameters.items()
    )


def counted(run: RunRecord, catalog: Catalog) -> list[Entry]:
    """Return the complete candidates that count and whose quality and hyperparameters are known.

    Those of the search and its baselines, then what was drawn at random to compare the search with.
    """
    known = searched(run)
    return [
        entry
        for entry in (*catalog.entries, *catalog.drawn)
        if entry.state == "complete"
        and (entry.kind in RANKED_KINDS or entry.series == RANDOM)
        and entry.values.get(catalog.quality.name) is not None
        and all(one.contains(entry.hyperparameters.get(one.name)) for one in known)
    ]


def main_operator(entry: Entry) -> str:
    """Return the operator that stands at most of a candidate's points; of equals the first by name."""
    counts = Counter(choice.name for _, choice in entry.architecture.choices)
    return min(counts, key=lambda name: (-counts[name], name))


def recipes_of_run(run: RunRecord, catalog: Catalog) -> Recipes:
    """Return what candidates say of the run's quality, turned so that more is better."""
    entries, quality = counted(run, catalog), catalog.quality
    values = np.array([entry.values[quality.name] for entry in entries], np.float64)
    chosen = [Counter(choice.name for _, choice in entry.architecture.choices) for entry in entries]
    operators = sorted({name for counts in chosen for name in counts})
    shares = np.array([[counts[name] / counts.total() for name in operators] for counts in chosen], np.float64)
    factors = [_factor(one, [entry.hyperparameters for entry in entries]) for one in searched(run)]
    return recipes_of(operators, shares, factors, -quality.sign * values)


def recipe_columns(run: RunRecord, entries: Sequence[Entry]) -> Array | None:
    """Return smooth functions of the hyperparameters, `(n, c)`, in units of their standard deviations.

    `None` where nothing differs; a candidate that lacks a value is as the mean.
    """
    columns = []
    for one in searched(run):
        has = np.array([one.contains(entry.hyperparameters.get(one.name)) for entry in entries], bool)
        known = [entry.hyperparameters for entry, there in zip(entries, has, strict=True) if there]
        factor = _factor(one, known)
        if len(factor.levels) < 2:
            continue
        functions = basis(factor, factor.at, _LENGTH)
        functions = functions[:, np.ptp(functions, axis=0) > 0]
        standard = np.zeros((len(entries), functions.shape[1]))
        standard[has] = (functions - functions.mean(axis=0)) / functions.std(axis=0)
        columns.append(standard)
    return np.concatenate(columns, axis=1) if columns else None


def _searched(name: str, given: Any, *, real: bool) -> Searched:
    if not isinstance(given, Mapping):
        return Values(name, given)
    numbers = {part: given[part] for part in ("low", "high", "step") if given.get(part) is not None}
    if real:
        numbers = {part: float(number) for part, number in numbers.items()}
    return Range(name, **numbers, log=bool(given.get("log")))


def _factor(one: Searched, candidates: Sequence[Mapping[str, Any]]) -> Factor:
    """Return a hyperparameter at the levels that candidates have reached."""
    values = [candidate[one.name] for candidate in candidates]
    if one.ordered:
        at = np.array([one.place(value) for value in values], np.float64)
        low, high = (float(at.min()), float(at.max())) if len(at) else (0.0, 0.0)
        kept = [index for index, place in enumerate(one.places) if low - 1e-9 <= place <= high + 1e-9]
        places = np.array([one.places[index] for index in kept], np.float64)
    else:
        at = np.array([one.level(value) for value in values], np.float64)
        kept = sorted({int(level) for level in at})
        places = np.array(kept, np.float64)
    return Factor(one.name, tuple(one.levels[index] for index in kept), places, one.ordered, at)
