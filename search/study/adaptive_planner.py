"""Further seeds where a verdict is still open: what is decided, or hopeless, gets none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from fusion_ops.errors import DataError
from reports.comparison import SeedPlan, of_the_best
from reports.judging.divergence import on_shared_seeds
from reports.judging.rules import despite_divergence
from reports.measures import Measure
from reports.retrained.participant import CONTROLS, Participant
from search.study.planner import FixedPlanner, Result, Wanted, leader, validated

__all__ = ["HOPELESS", "AdaptivePlanner", "Scores"]

# Less than of a pair alone: everyone's first seeds are paid for, and two networks' next ones are cheap beside them.
HOPELESS = 0.05

# From a network's id and the numbers of its trainings to what the test images got, `(seeds, images)`; more is better.
Scores = Callable[[str, Sequence[int]], NDArray[np.float64]]


class AdaptivePlanner:
    """Everyone gets the least number of seeds; then the leader and what it has to beat get further ones.

    Under each recipe the leader, the finalist of the best validation measure, is compared with the original, then with
    the controls of its cost. A comparison that is open gets the next seed, where one helps most; the following one is
    looked at once the leader is better. Where it is not, no further seed makes it so, and the recipe is done. A leader
    that diverges more often than what it has to beat is not `better` than that: it gets further seeds only where they
    can show `same` or `worse`. The intervals hold however often one looks: `reports.comparison.SeedPlan`. They are as
    wide as the verdict's, which allow for the number of finalists that the leader was picked among.

    Args:
        participants: Who takes part.
        recipes: Names of the recipes.
        seeds: The seeds, in order. Those beyond `most` stand in for others that fail.
        least: How many seeds everyone gets first.
        most: How many seeds a network has at most.
        scores: Reads what the test images got.
        quality: The measure of quality.
        margin: Differences up to this are too small to matter.
        looked: The least and the most seeds that were ever asked for, where these are others.
    """

    def __init__(
        self,
        participants: Sequence[Participant],
        recipes: Sequence[str],
        seeds: Sequence[int],
        least: int,
        most: int,
        *,
        scores: Scores,
        quality: Measure,
        margin: float,
        looked: tuple[int, int] | None = None,
    ) -> None:
        self._participants, self._recipes, self._seeds = tuple(participants), tuple(recipes), tuple(seeds)
        self._first = FixedPlanner(participants, recipes, seeds[:least], least)
        self._whole = FixedPlanner(participants, recipes, seeds[:most], least)
        self._plan = SeedPlan(least, most, margin=margin, hopeless=HOPELESS, looked=looked)
        self._scores, self._quality = scores, quality
        self._answered: tuple[int, tuple[Wanted, ...], list[Wanted]] | None = None

    def next(self, done: Sequence[Result], running: Sequence[Wanted]) -> Sequence[Wanted]:
        """Return what is left of the first seeds or, once these have ended, a training for each recipe that is open."""
        asked = len(done), tuple(running)
        if self._answered is None or self._answered[:2] != asked:
            self._answered = (*asked, self._decided(done, running))
        return self._answered[2]

    def most(self) -> int:
        """Return how many trainings there are if nothing is decided before the last seed of one leader."""
        compared = min(len(self._participants), 2 + len(CONTROLS))
        return self._first.most() + compared * len(self._recipes) * (self._plan.most - self._plan.least)

    def _decided(self, done: Sequence[Result], running: Sequence[Wanted]) -> list[Wanted]:
        if first := self._first.next(done, running):
            return list(first)
        early = set(self._seeds[: self._plan.least])
        best = leader(self._participants, done, self._quality.sign)
        if best is None or any(training.seed in early for training in running):
            return []
        rivals = len(validated(self._participants, done))
        plan = replace(self._plan, confidence=of_the_best(self._plan.confidence, rivals))
        try:
            found = [self._of_recipe(plan, best, recipe, done, running) for recipe in self._recipes]
        except DataError:
            # A measure that is no mean over images has one value a training: nothing can be decided early.
            return list(self._whole.next(done, running))
        return [training for training in found if training is not None]

    def _of_recipe(
        self, plan: SeedPlan, best: Participant, recipe: str, done: Sequence[Result], running: Sequence[Wanted]
    ) -> Wanted | None:
        """Return the next training under a recipe; `None` where all is decided, or under way."""
        begun = {*(result.training for result in done), *running}
        for reference in self._references(best):
            left = {
                name: [seed for seed in self._seeds if (name, recipe, seed) not in begun]
                for name in (best.id, reference)
            }
            pending = {name: self._pending(Wanted(name, recipe, 0), running, left[name]) for name in left}
            standing = plan.standing(self._known(left, recipe, done), [(best.id, reference)], pending)
            found = standing.pairs[0].contrast
            diverged = on_shared_seeds(_ended(best.id, recipe, done), _ended(reference, recipe, done))
            if found is not None and found.gain > plan.margin and diverged[0] > diverged[1]:
                return None
            if standing.train is not None:
                return Wanted(standing.train, recipe, left[standing.train][0])
            if found is None or despite_divergence(found.outcome, *diverged) != "better":
                return None
        return None

    def _references(self, best: Participant) -> Iterator[str]:
        """Yield what the leader has to beat, each once."""
        wanted = [("original", ""), *((role, best.id) for role in CONTROLS.values())]
        found = [one.id for part in wanted for one in self._participants if part in one.roles]
        yield from (identity for identity in dict.fromkeys(found) if identity != best.id)

    def _pending(self, of: Wanted, running: Sequence[Wanted], left: Sequence[int]) -> int:
        """Return how many trainings of a network are under way; of one without a seed left, all that it could have."""
        return sum(one[:2] == of[:2] for one in running) if left else self._plan.most

    def _known(self, names: Iterable[str], recipe: str, done: Sequence[Result]) -> dict[str, NDArray[np.float64]]:
        """Return the test scores of networks that have any."""
        numbers = {
            name: [one.number for one in done if one.state == "complete" and one.training[:2] == (name, recipe)]
            for name in names
        }
        return {name: self._scores(name, of) for name, of in numbers.items() if of}


def _ended(name: str, recipe: str, done: Sequence[Result]) -> tuple[set[int], set[int]]:
    """Return the seeds of a network that went well, and those that diverged."""
    own = [one for one in done if one.training[:2] == (name, recipe)]
    well = {one.training.seed for one in own if one.state == "complete"}
    return well, {one.training.seed for one in own if one.diverged} - well
