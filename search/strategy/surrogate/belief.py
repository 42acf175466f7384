"""A surrogate of one objective that keeps up with a study."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from reports.measures import MEASURES
from reports.pareto import ranks
from search.strategy.observations import Observation
from search.strategy.proposals.encoding import EXACT, Codes, Encoding
from search.strategy.surrogate.evidence import Evidence, Yardstick
from search.strategy.surrogate.features import BLOCKS, LATENCY, Features
from search.strategy.surrogate.surrogate import Kernel, Surrogate

__all__ = ["Belief"]

Values = np.ndarray[Any, np.dtype[np.float64]]
GROWTH = 0.1
MOST = 320


class Belief:
    """What is believed of one objective that only training tells.

    The surrogate is fitted anew when the study has grown by a tenth; in between, new values are taken in with
    the kernels as they are. Of long studies the best part, the latest and a random rest are kept, so that
    the time for a proposal does not grow.

    Args:
        encoding: Codes of the space.
        features: Describes codes.
        measure: Name of the objective.
        index: Its position among the study's objectives.
        sign: What turns it into one to minimise: -1 or 1.
        ended: The candidates that ended; some were completed.
        rng: Generator of the first fit.
    """

    def __init__(
        self,
        encoding: Encoding,
        features: Features,
        measure: str,
        index: int,
        sign: float,
        ended: Sequence[Observation],
        rng: np.random.Generator,
    ) -> None:
        self.index = index
        self._encoding = encoding
        self._features = features
        self._measure = measure
        self._sign = sign
        timed = measure == "latency" and features.latency is not None
        self._blocks = (*BLOCKS, LATENCY) if timed else BLOCKS
        self._logarithmic = measure in MEASURES and MEASURES[measure].direction == "minimize"
        self._fitted = self._read = 0
        self._fit(ended, rng, ())

    def loss(self, value: float) -> float:
        """Return a value to minimise as the model sees it: losses and costs by their logarithm."""
        return math.log(max(value, 1e-12)) if self._logarithmic else value

    def limit(self, bound: float) -> float:
        """Return a bound on the objective, as users give it, as a value that the model sees."""
        return self.loss(self._sign * bound)

    def update(self, ended: Sequence[Observation], rng: np.random.Generator) -> None:
        """Take in what has ended since."""
        fresh = ended[self._read :]
        if len(ended) - self._fitted >= max(GROWTH * min(len(ended), 2 * MOST), 1):
            self._fit(ended, rng, self._surrogate.kernels)
        elif fresh:
            self._extend(fresh)
        self._read = len(ended)

    def settled(self, pending: Codes) -> tuple[Surrogate, Codes, Values]:
        """Return the surrogate with what is in training taken in, and the candidates that have a value.

        Their codes are `(n, s)`, their expected values `(n,)`: those of completed candidates, then those of
        what is in training.
        """
        surrogate = self._surrogate.copy()
        values = surrogate.fitted()[self._complete]
        codes = self._codes[self._complete]
        if len(pending):
            values = np.concatenate([values, surrogate.believe(self._features(pending))])
            codes = np.concatenate([codes, pending])
        return surrogate, codes, values

    def _fit(self, ended: Sequence[Observation], rng: np.random.Generator, known: tuple[Kernel, ...]) -> None:
        self._yardstick = Yardstick(ended, self.index, self._measure, self._sign, self.loss)
        evidence = self._yardstick(ended)
        evidence = evidence[_kept(evidence, self._encoding, rng)]
        self._codes, self._complete = evidence.codes, evidence.complete
        self._surrogate = Surrogate(
            self._features(evidence.codes), evidence.values, evidence.doubt, rng, known, self._blocks
        )
        self._fitted = self._read = len(ended)

    def _extend(self, fresh: Sequence[Observation]) -> None:
        evidence = self._yardstick(fresh)
        if len(evidence):
            self._surrogate.extend(self._features(evidence.codes), evidence.values, evidence.doubt)
            self._codes = np.concatenate([self._codes, evidence.codes])
            self._complete = np.concatenate([self._complete, evidence.complete])


def _kept(evidence: Evidence, encoding: Encoding, rng: np.random.Generator) -> Any:
    """Return the rows that a surrogate of limited size rests on: the front's layers, the latest, some others."""
    count = len(evidence)
    if count <= MOST:
        return np.arange(count)
    costs = [encoding.cost(name, evidence.codes) for name in EXACT]
    order = np.argsort(ranks(np.stack([evidence.values, *costs], axis=1)), kind="stable")
    latest = np.arange(count - MOST // 6, count)
    rest = np.setdiff1d(order[MOST // 2 :], latest)
    others = rng.choice(rest, size=min(MOST // 3, len(rest)), replace=False)
    return np.unique(np.concatenate([order[: MOST // 2], latest, others]))
