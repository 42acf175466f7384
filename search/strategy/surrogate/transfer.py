"""What is known before a run's own candidates show it: by another run, or by the scores of its supernet."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from fusion_ops import FusionChoice
from fusion_ops.errors import SpecError
from reports.fronts.dominance import non_dominated
from search.strategy.observations import Observation
from search.strategy.proposals.encoding import Code, Codes, Encoding, Values, key
from search.strategy.surrogate.expectation import Expectation, slots_of
from spaces import Configuration

__all__ = ["LEAST", "Experience", "Knowledge", "Prior", "Scores"]

LEAST, BEST, WAITS = 8, 4, 7
DRAWS = 512


class Knowledge(Protocol):
    """What is known of configurations before the first one is tried: by another run, or by the run's own library."""

    @property
    def best(self) -> Sequence[Configuration]:
        """What is to be tried first, the best first."""

    @property
    def waits(self) -> int:
        """After how many completed candidates of the sampler's own, uniform networks apart, that is tried."""

    def of(self, encoding: Encoding) -> Callable[[Codes], Values] | None:
        """Return the function that says what is expected of `(n, columns)` codes of a space, to minimise: `(n,)`.

        `None` where nothing is expected.
        """


class Experience:
    """What the completed candidates of another run say to try in any space.

    Args:
        configurations: The candidates.
        losses: `(n,)`, what was measured of each, to minimise.
        costs: `(n,)`, what each costs, such as its parameters; by default all cost the same.

    Attributes:
        best: At most four candidates from its front of losses, noise taken out, and costs: the best first.
        waits: 7. What is best elsewhere is often good enough here that a search which knows little stays near it; one
            that has looked about by itself is less misled, and gains as much where the other run is right.

    Raises:
        SpecError: There are fewer than eight.
    """

    waits = WAITS

    def __init__(
        self,
        configurations: Sequence[Configuration],
        losses: Sequence[float],
        costs: Sequence[float] | None = None,
    ) -> None:
        if len(configurations) < LEAST:
            raise SpecError(f"a prior needs at least {LEAST} completed candidates; there are {len(configurations)}.")
        self._expectation = Expectation(configurations, losses)
        points = np.column_stack([self._expectation.fitted(), np.zeros(len(losses)) if costs is None else costs])
        front = np.flatnonzero(non_dominated(points))
        front = front[np.argsort(points[front, 0], kind="stable")]
        picked = np.unique(np.linspace(0, len(front) - 1, min(BEST, len(front))).round().astype(int))
        self.best: tuple[Configuration, ...] = tuple(configurations[index] for index in front[picked])

    def of(self, encoding: Encoding) -> Callable[[Codes], Values] | None:
        """Return `None`: what another run would expect draws a search to that run's own best region."""
        return None


class Scores(Experience):
    """What the scores of many configurations by one trained network say, in the same run.

    Attributes:
        waits: 0: what it recommends is tried after the design.
    """

    waits = 0

    def of(self, encoding: Encoding) -> Callable[[Codes], Values]:
        """Return the function that says what is expected of `(n, columns)` codes of a space, to minimise: `(n,)`."""
        return self._expectation.of(encoding)


class Prior:
    """What is known before the first candidate, in a space: what it expects of codes, and the codes to begin with.

    Where it expects something, that is a feature of the model of what training shows. The model weighs it by what its
    own candidates say: a prior that misleads gets no weight, and a good one fades as other features explain more. Over
    random configurations it has mean 0 and standard deviation 1.

    Attributes:
        best: What is to be tried, each as the nearest code of this space.
        waits: After how many completed candidates of the sampler's own, uniform networks apart, that is tried.
        feature: Returns the feature of `(n, columns)` codes, to minimise: `(n,)`; `None` where nothing is expected.
    """

    def __init__(self, encoding: Encoding, knowledge: Knowledge) -> None:
        nearest = (_nearest(encoding, one) for one in knowledge.best)
        self.best = list({key(code): code for code in nearest}.values())
        self.waits = knowledge.waits
        expected = knowledge.of(encoding)
        self.feature = None if expected is None else _scaled(encoding, expected)

    def misleads(self, ended: Sequence[Observation]) -> bool:
        """Return whether most of its best that were trained, and two at least, are dominated by other candidates."""
        best = {key(code) for code in self.best}
        complete = [(key(seen.code) in best, seen.values) for seen in ended if seen.values is not None]
        own = [values for is_best, values in complete if not is_best]
        tried = [values for is_best, values in complete if is_best]
        worse = sum(any((other <= values).all() and (other < values).any() for other in own) for values in tried)
        return worse >= 2 and 2 * worse > len(tried)


def _scaled(encoding: Encoding, expected: Callable[[Codes], Values]) -> Callable[[Codes], Values]:
    """Return a function scaled to mean 0 and standard deviation 1 over random configurations."""
    drawn = expected(encoding.draw(np.random.default_rng(0), DRAWS))
    centre, spread = float(drawn.mean()), max(float(drawn.std()), 1e-12)
    return lambda codes: np.asarray((expected(codes) - centre) / spread)


def _nearest(encoding: Encoding, configuration: Configuration) -> Code:
    """Return the code nearest to a configuration of another space: at each point what that has at the same depth."""
    code = np.zeros(encoding.columns, dtype=np.int64)
    settings = dict(configuration.hyperparameters)
    for column, one in enumerate(encoding.hyperparameters, start=encoding.slots):
        value = settings.get(one.name)
        level = one.level(value)
        if level is None and one.ordered and isinstance(value, int | float):
            level = int(np.argmin(np.abs(np.array(one.levels, dtype=np.float64) - value)))
        code[column] = len(one.levels) // 2 if level is None else level
    there = [choice for _, choice in configuration.architecture.choices]
    variant = encoding.space.variants[int(encoding.variant(code))]
    slots = slots_of(variant, encoding)
    for slot, place in zip(slots, np.linspace(0, len(there) - 1, len(slots)), strict=True):
        code[slot] = _alike(encoding.choices[slot], there[round(place)])
    return encoding.canonical(code)


def _alike(choices: Sequence[FusionChoice], wanted: FusionChoice) -> int:
    """Return the index of the choice that is most like one of another space: its operator, then the nearest r."""

    def apart(choice: FusionChoice) -> tuple[bool, float, bool]:
        ratio = abs(math.log2((choice.r or 1) / (wanted.r or 1)))
        return choice.name != wanted.name, ratio, choice.resampler != wanted.resampler

    return min(range(len(choices)), key=lambda index: apart(choices[index]))
