"""Which network is trained next on a further seed, so that verdicts are closed with few trainings.

A `SeedPlan` holds no state: it is asked again after every training with all arrays so far, and answers alike after a
resume.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from fusion_ops.errors import SpecError, UnknownNameError
from reports.comparison.arrays import pair
from reports.comparison.comparing import CONFIDENCE, MARGIN, Contrast, contrast, over_looks
from reports.comparison.components import Components, components
from reports.comparison.family import each_confidence
from reports.comparison.sequential import Looks

__all__ = ["PairState", "SeedPlan", "Standing", "State"]

State = Literal["untrained", "open", "closed", "hopeless", "exhausted"]
HOPELESS = 0.15


@dataclass(frozen=True, slots=True)
class PairState:
    """What is known of a candidate and a reference.

    Args:
        candidate: Name of an arm.
        reference: Name of the other one.
        state: `untrained`: one of them has too few seeds yet. `open`: further seeds may decide. `closed`: decided.
            `hopeless`: further seeds would most likely not decide. `exhausted`: undecided, and both have all their
            seeds.
        contrast: The comparison so far. Its interval holds however often one looked and whatever the other pairs are;
            p is below 1 − confidence exactly where it excludes 0. `None` if untrained.
        chance: Probability that all seeds would decide, as far as can be told now; 1 if closed, `None` if untrained.
    """

    candidate: str
    reference: str
    state: State
    contrast: Contrast | None
    chance: float | None


@dataclass(frozen=True, slots=True)
class Standing:
    """Where all pairs stand.

    Args:
        pairs: In the order asked for.
        train: Arm to train next on a further seed; `None`: there is nothing to train, or all is under way.
        done: Nothing is left to train, nor under way for an open pair.
    """

    pairs: tuple[PairState, ...]
    train: str | None
    done: bool


@dataclass(frozen=True, slots=True)
class SeedPlan:
    """From `least` seeds for everyone on, further ones where a verdict is open and a seed helps most.

    ```python
    plan = SeedPlan(least=3, most=12)
    standing = plan.standing({"aff": right_of_aff, "sum": right_of_sum}, [("aff", "sum")])
    standing.train, standing.pairs[0].contrast.outcome
    ```

    Args:
        least: Seeds that every arm gets.
        most: Seeds that an arm has at most.
        margin: Differences up to this are too small to matter.
        confidence: Coverage of the intervals of all pairs and all looks together.
        hopeless: A pair whose chance to be decided is below this gets no further seed; 0: every pair gets all.
        looked: The least and the most seeds of all looks, where one looked, or may look, at others than those from
            `least` to `most`: all of these intervals hold together.

    Raises:
        SpecError: The seeds are no range, or the confidence or the chance is no such number.
    """

    least: int = 3
    most: int = 12
    margin: float = MARGIN
    confidence: float = CONFIDENCE
    hopeless: float = HOPELESS
    looked: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        self.looks(1)
        if not 0.0 <= self.hopeless < 1.0:
            raise SpecError(
                f"`hopeless` must be a probability, 0 to below 1; got {self.hopeless}. 0.15 is the usual one."
            )

    def looks(self, count: int) -> Looks:
        """Return how one looks at each of several pairs."""
        least, most = self.looked or (self.least, self.most)
        return Looks(least, most, self.margin, each_confidence(self.confidence, count))

    def standing(
        self,
        scores: Mapping[str, ArrayLike],
        pairs: Sequence[tuple[str, str]],
        pending: Mapping[str, int] | None = None,
    ) -> Standing:
        """Return where all pairs stand, and which arm to train next.

        Args:
            scores: For each arm its scores `(seeds, images)` so far. An arm without any is left out, or is empty.
            pairs: Names of candidate and reference, of all comparisons that are to hold together.
            pending: Trainings under way for each arm; they are counted as seeds when the next one is chosen.

        Raises:
            DataError: Arrays are unfit for a comparison.
            UnknownNameError: `pending` names an arm of no pair.
        """
        arms = list(dict.fromkeys(name for both in pairs for name in both))
        under_way = dict(pending or {})
        for name in under_way:
            if name not in arms:
                raise UnknownNameError("arm", name, arms)
        have = {name: len(np.asarray(scores[name])) if name in scores else 0 for name in arms}
        will = {name: have[name] + under_way.get(name, 0) for name in arms}
        states = tuple(self._state(scores, have, both, len(pairs)) for both in pairs)
        train = self._first(will) or self._next(states, will)
        waiting = any(
            under_way.get(name) for state in states if state.state in ("open", "untrained") for name in _arms(state)
        )
        return Standing(states, train, train is None and not waiting)

    def _state(
        self, scores: Mapping[str, ArrayLike], have: Mapping[str, int], both: tuple[str, str], count: int
    ) -> PairState:
        candidate, reference = both
        if min(have[candidate], have[reference]) < self.least:
            return PairState(candidate, reference, "untrained", None, None)
        parts = components(*pair(scores[candidate], scores[reference]))
        looks = self.looks(count)
        found = over_looks(contrast(parts, self.margin, float(looks.confidence_now(parts))), self.confidence)
        if found.outcome != "undecided":
            return PairState(candidate, reference, "closed", found, 1.0)
        chance = float(looks.chance(parts, self.most))
        left = min(have[candidate], have[reference]) < self.most
        state: State = "exhausted" if not left else "hopeless" if chance < self.hopeless else "open"
        return PairState(candidate, reference, state, found, chance if left else 0.0)

    def _first(self, will: Mapping[str, int]) -> str | None:
        """Return the arm with the fewest of the seeds that everyone gets; the first of several."""
        name = min(will, key=lambda arm: will[arm], default=None)
        return name if name is not None and will[name] < self.least else None

    def _next(self, states: Sequence[PairState], will: Mapping[str, int]) -> str | None:
        """Return the arm whose next seed shrinks the variances of open pairs most, each relative to its own."""
        worth = {name: 0.0 for name in will if will[name] < self.most}
        for state in states:
            if state.state != "open" or state.contrast is None:
                continue
            for side, name in enumerate(_arms(state)):
                if name in worth:
                    worth[name] += _saved(state.contrast.parts, side, tuple(will[arm] for arm in _arms(state)))
        best = max(worth, key=lambda name: worth[name], default=None)
        return best if best is not None and worth[best] > 0.0 else None


def _arms(state: PairState) -> tuple[str, str]:
    return state.candidate, state.reference


def _saved(parts: Components, side: int, seeds: tuple[int, ...]) -> float:
    """Return by what share a further seed of a side shrinks the variance. Never 0, so that an open pair goes on.

    Both sides count with the mean of their variances: a network that has shown little spread by chance would else get
    no further seed that could correct it, and intervals would be too narrow.
    """
    now = parts.with_seeds(seeds[0], seeds[1])
    single = sum(float(max(now.between_seeds[arm], now.rest[arm])) * seeds[arm] for arm in (0, 1)) / 2.0
    return max(single / seeds[side] / (seeds[side] + 1) / float(now.variance), 1e-12)
