"""Which training is next when networks are trained again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from reports.judging.contenders import contenders
from reports.retrained.participant import Participant
from reports.retrained.record import DEFAULT_RECIPE

__all__ = ["FixedPlanner", "Planner", "Result", "Wanted", "leader", "seed_list", "validated"]

STREAM = 17
LARGEST_SEED = 2**31


class Wanted(NamedTuple):
    """A training that is wanted.

    Attributes:
        id: Id of the network.
        recipe: Name of the recipe.
        seed: Its seed.
    """

    id: str
    recipe: str
    seed: int


@dataclass(frozen=True, slots=True)
class Result:
    """A retraining that has ended.

    Args:
        training: Which one.
        number: Number of its candidate, by which its files are found.
        state: `complete`, or how else it ended.
        validation: Its best validation measure; NaN where there is none.
        diverged: Whether it failed because it diverged.
    """

    training: Wanted
    number: int
    state: str
    validation: float
    diverged: bool = False


class Planner(Protocol):
    """Decides what is trained next; it keeps nothing, so that a run goes on from its study alone."""

    def next(self, done: Sequence[Result], running: Sequence[Wanted]) -> Sequence[Wanted]:
        """Return what to train next, the most wanted first.

        Nothing, while something is in training: wait for that. Nothing, while nothing is: all is decided. What has
        ended or is in training, or waits to go on, is among the arguments and must not be wanted again.

        Args:
            done: What has ended, in order of its numbers.
            running: What is in training, or waits to go on.
        """

    def most(self) -> int:
        """Return how many trainings there can be at most, those that have ended included."""


class FixedPlanner:
    """Every seed for everyone under every recipe, seed by seed: an interruption leaves whole seeds.

    A point that was set back is trained with the least number of seeds, under the default recipe.

    Args:
        participants: Who takes part.
        recipes: Names of the recipes.
        seeds: The seeds, in order.
        least: How many seeds everyone gets first.
    """

    def __init__(
        self, participants: Sequence[Participant], recipes: Sequence[str], seeds: Sequence[int], least: int
    ) -> None:
        whole = [one for one in participants if one.role != "ablation"]
        apart = [one for one in participants if one.role == "ablation"]
        first, later = seeds[:least], seeds[least:]
        self._plan = [
            *_each(whole, recipes, first),
            *_each(apart, [DEFAULT_RECIPE], first),
            *_each(whole, recipes, later),
        ]

    def next(self, done: Sequence[Result], running: Sequence[Wanted]) -> Sequence[Wanted]:
        """Return all that is left."""
        begun = {result.training for result in done} | set(running)
        return [training for training in self._plan if training not in begun]

    def most(self) -> int:
        """Return how many trainings there are."""
        return len(self._plan)


def leader(participants: Sequence[Participant], done: Sequence[Result], sign: float) -> Participant | None:
    """Return the finalist of the best mean validation measure, over seeds and then over recipes.

    Test images play no part in it. Finalists of fewer recipes than others do not count yet, nor where others have two
    seeds those of one.

    Args:
        participants: Who takes part.
        done: What has ended.
        sign: Factor that turns the measure into one to minimise.
    """
    means = validated(participants, done)
    there = (one for one in participants if one.id in means)
    return min(there, key=lambda one: sign * means[one.id], default=None)


def validated(participants: Sequence[Participant], done: Sequence[Result]) -> dict[str, float]:
    """Return, by id, the mean validation measure of each finalist that can lead, over seeds and then over recipes."""
    scores: dict[str, dict[str, list[float]]] = {}
    for result in done:
        if result.state == "complete":
            of_recipe = scores.setdefault(result.training.id, {}).setdefault(result.training.recipe, [])
            of_recipe.append(result.validation)
    there = [one.id for one in participants if one.plays("finalist") and one.id in scores]
    able = contenders({name: [len(of) for of in scores[name].values()] for name in there})
    return {name: float(np.mean([np.mean(of) for of in scores[name].values()])) for name in able}


def _each(participants: Sequence[Participant], recipes: Sequence[str], seeds: Sequence[int]) -> list[Wanted]:
    return [Wanted(one.id, recipe, seed) for seed in seeds for recipe in recipes for one in participants]


def seed_list(search_seed: int, count: int) -> tuple[int, ...]:
    """Return the seeds of retrainings: all different, none that of the search; a longer list begins as a shorter one.

    The same for every network, so that their batches are the same, too.
    """
    rng = np.random.default_rng([search_seed, STREAM])
    seeds: dict[int, None] = {}
    while len(seeds) < count:
        seed = int(rng.integers(LARGEST_SEED))
        if seed != search_seed:
            seeds[seed] = None
    return tuple(seeds)
