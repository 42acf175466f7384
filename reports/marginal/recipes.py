"""Each operator at its best recipe, and whether the best operator changes with a hyperparameter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from reports.marginal.recipe_model import Factor, RecipeModel, fit_recipes
from reports.one_thread import one_thread

__all__ = ["CERTAIN", "EACH", "LEAST", "Along", "BestRecipe", "Change", "Outcome", "Recipes", "recipes_of"]

Array = NDArray[np.float64]
Outcome = Literal["changes", "one", "unclear"]

LEAST = 20
"""Candidates that a model needs,"""
EACH = 3
"""and for each operator."""
CERTAIN = 0.95
# The squares of more are no numbers any more.
FAR = 1e100


@dataclass(frozen=True, slots=True)
class Change:
    """Two operators that are better than each other at different levels.

    Args:
        operators: Both.
        spans: First and last level at which each is better than the other one with a probability of at least 95 %.
        probability: Of both being so at once, at the pair of levels where it is the most probable.
    """

    operators: tuple[str, str]
    spans: tuple[tuple[int, int], tuple[int, int]]
    probability: float


@dataclass(frozen=True, slots=True)
class Along:
    """The uniform network of each operator along a hyperparameter; all others have their mean effect.

    Args:
        factor: The hyperparameter.
        mean: Expected gain, `(operators, levels)`.
        low: Lower ends of the 95 % intervals.
        high: Upper ends.
        best: Probability that an operator is the best at a level, `(operators, levels)`.
        outcome: `changes`, `one` operator throughout, or `unclear`.
        change: Where and between whom it changes; `None` where that is not sure.
        throughout: The operator that is the best at every level; empty where none surely is.
    """

    factor: Factor
    mean: Array
    low: Array
    high: Array
    best: Array
    outcome: Outcome
    change: Change | None = None
    throughout: str = ""


@dataclass(frozen=True, slots=True)
class BestRecipe:
    """An operator at its best recipe.

    Args:
        operator: The operator.
        levels: The level of each hyperparameter at which most is expected of it.
        likely: The levels that hold the best one with a probability of 95 %; of ordered ones all from first to last.
        mean: Expected gain of its uniform network there.
        low: Lower end of the 95 % interval.
        high: Upper end.
    """

    operator: str
    levels: tuple[int, ...]
    likely: tuple[tuple[int, ...], ...]
    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Recipes:
    """What candidates say of operators and hyperparameters.

    Args:
        operators: Names of the operators.
        size: Number of candidates.
        along: Each hyperparameter.
        best: Each operator at its best recipe, the best one first.
        problem: Why there is nothing to say; empty where there is.
    """

    operators: tuple[str, ...]
    size: int
    along: tuple[Along, ...] = ()
    best: tuple[BestRecipe, ...] = ()
    problem: str = ""


@one_thread()
def recipes_of(operators: Sequence[str], shares: Array, factors: Sequence[Factor], gain: Array) -> Recipes:
    """Return what candidates say of operators and hyperparameters; see `reports.marginal.recipe_model`.

    The best operator *changes* where two operators are each the one of which most is expected at some level, and each
    is better than the other one there, both at once with a probability of at least `1 - 0.05 / pairs`; pairs are
    those of all operators (Bonferroni). *One* is the best throughout where it is so at every level with a probability
    of at least 0.95.

    Args:
        operators: Names of the operators.
        shares: Of each over the fusion points, `(n, operators)`; each row adds up to 1.
        factors: The hyperparameters.
        gain: The quality of each candidate, turned so that more is better, `(n,)`.
    """
    known = [one for one in factors if len(one.levels) > 1]
    problem = _problem(operators, known, gain)
    if problem:
        return Recipes(tuple(operators), len(gain), problem=problem)
    # In units of what differs, so that rounding is no matter.
    middle, unit = float(gain.mean()), float(gain.std())
    model = fit_recipes(shares, known, (gain - middle) / unit)
    along = [_along(model, index, one, operators, middle, unit) for index, one in enumerate(known)]
    best = [_best(model, place, name, along, middle, unit) for place, name in enumerate(operators)]
    return Recipes(tuple(operators), len(gain), tuple(along), tuple(sorted(best, key=lambda one: -one.mean)))


def _problem(operators: Sequence[str], factors: Sequence[Factor], gain: Array) -> str:
    least = max(LEAST, EACH * len(operators))
    if len(gain) < least:
        are = {0: "are none", 1: "is 1"}.get(len(gain), f"are {len(gain)}")
        return f"It takes {least} complete candidates with a quality, at least {EACH} for each operator; there {are}."
    if float(np.abs(gain).max()) > FAR:
        return f"Qualities of more than {FAR:.0e} are too far apart to calculate with."
    if np.ptp(gain) <= 1e-12 * max(1.0, float(np.abs(gain).max())):
        return "All complete candidates have the same quality."
    if len(operators) < 2:
        return "All complete candidates have the same operator at every point."
    if not factors:
        return "All complete candidates have the same hyperparameters."
    return ""


def _along(
    model: RecipeModel, index: int, factor: Factor, operators: Sequence[str], middle: float, unit: float
) -> Along:
    drawn = np.stack([model.along(place, index) for place in range(len(operators))], axis=1)
    low, high = np.percentile(drawn, [2.5, 97.5], axis=0)
    mean = drawn.mean(axis=0)
    first = drawn.argmax(axis=1)
    best = np.stack([(first == place).mean(axis=0) for place in range(len(operators))])
    change = _change(drawn, mean, operators)
    sure = [name for name, chances in zip(operators, best, strict=True) if chances.min() >= CERTAIN]
    return Along(
        factor=factor,
        mean=middle + unit * mean,
        low=middle + unit * low,
        high=middle + unit * high,
        best=best,
        outcome="changes" if change is not None else "one" if sure else "unclear",
        change=change,
        throughout=sure[0] if sure else "",
    )


def _change(drawn: Array, mean: Array, operators: Sequence[str]) -> Change | None:
    """Return the surest change between two operators; `None` where none is sure.

    Args:
        drawn: `(draws, operators, levels)`.
        mean: `(operators, levels)`.
        operators: Their names.
    """
    top = mean.argmax(axis=0)
    pairs = len(operators) * (len(operators) - 1) / 2
    found: list[tuple[float, int, int, int, int]] = []
    for one, other in permutations(sorted(set(top.tolist())), 2):
        better = drawn[:, one] > drawn[:, other]
        both = better.T.astype(float) @ ~better / len(drawn)
        both[top != one], both[:, top != other] = -1.0, -1.0
        here, there = divmod(int(both.argmax()), len(both))
        found.append((float(both[here, there]), one, other, here, there))
    sure = [each for each in found if each[0] >= 1 - (1 - CERTAIN) / pairs]
    if not sure:
        return None
    probability, one, other, here, there = max(sure)
    chance = (drawn[:, one] > drawn[:, other]).mean(axis=0)
    spans = _span(chance >= CERTAIN, here), _span(1 - chance >= CERTAIN, there)
    pair = [(operators[one], spans[0]), (operators[other], spans[1])]
    (first, second) = sorted(pair, key=lambda each: each[1])
    return Change((first[0], second[0]), (first[1], second[1]), probability)


def _span(holds: NDArray[np.bool_], level: int) -> tuple[int, int]:
    """Return the first and the last of the levels around one at which something holds."""
    first, last = level, level
    while first > 0 and holds[first - 1]:
        first -= 1
    while last + 1 < len(holds) and holds[last + 1]:
        last += 1
    return first, last


def _best(model: RecipeModel, place: int, name: str, along: Sequence[Along], middle: float, unit: float) -> BestRecipe:
    levels = [int(one.mean[place].argmax()) for one in along]
    drawn = model.at(place, levels)
    low, high = np.percentile(drawn, [2.5, 97.5])
    likely = [_likely(model.along(place, index), one.factor) for index, one in enumerate(along)]
    expected = float(drawn.mean())
    return BestRecipe(
        name,
        tuple(levels),
        tuple(likely),
        middle + unit * expected,
        middle + unit * float(low),
        middle + unit * float(high),
    )


def _likely(drawn: Array, factor: Factor) -> tuple[int, ...]:
    """Return the levels that hold the best one with a probability of 95 %."""
    best = drawn.argmax(axis=1)
    if factor.ordered:
        first, last = np.quantile(best, [(1 - CERTAIN) / 2, (1 + CERTAIN) / 2], method="inverted_cdf")
        return tuple(range(int(first), int(last) + 1))
    chances = np.bincount(best, minlength=len(factor.levels)) / len(best)
    order = np.argsort(-chances, kind="stable")
    enough = int(np.searchsorted(np.cumsum(chances[order]), CERTAIN)) + 1
    return tuple(sorted(int(level) for level in order[:enough]))
