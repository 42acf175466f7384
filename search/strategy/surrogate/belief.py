"""A surrogate of one objective that keeps up with a study."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from reports.fronts.dominance import ranks
from reports.measures import MEASURES
from search.strategy.observations import Observation
from search.strategy.proposals.encoding import Code, Codes, Encoding, Values
from search.strategy.surrogate.evidence import Evidence, Yardstick
from search.strategy.surrogate.features import Features
from search.strategy.surrogate.surrogate import Surrogate

__all__ = ["Belief"]

GROWTH = 0.1
MOST = 320


class Belief:
    """What is believed of one objective that only training shows.

    The surrogate is fitted anew when the study has grown by a tenth; in between, new values are taken in with
    the kernels as they are. Of long studies the best part, the latest and a random rest are kept, so that
    the time for a proposal does not grow.

    Args:
        encoding: Codes of the space.
        features: Describes codes.
        measure: Name of the objective.
        index: Its position among the study's objectives.
        sign: What turns it into one to minimise: -1 or 1.
    """

    def __init__(self, encoding: Encoding, features: Features, measure: str, index: int, sign: float) -> None:
        self._encoding = encoding
        self._features = features
        self._measure, self.index, self._sign = measure, index, sign
        self._logarithmic = measure in MEASURES and MEASURES[measure].direction == "minimize"
        self._fitted = self._read = 0
        self._surrogate: Surrogate

    def loss(self, value: float) -> float:
        """Return a value to minimise as the model sees it: losses and costs by their logarithm."""
        return math.log(max(value, 1e-12)) if self._logarithmic else value

    def limit(self, constraints: Mapping[str, float]) -> float:
        """Return the user's bound on the objective as a value that the model sees; infinite where there is none."""
        return self.loss(self._sign * constraints.get(self._measure, self._sign * math.inf))

    def foretold(self, surrogate: Surrogate, code: Code) -> tuple[float, float]:
        """Return the measure that one training of a code is expected to show, and its standard deviation.

        Of what is modelled by its logarithm the deviation is that of small relative errors.
        """
        mean, deviation = surrogate.foretold(code[None])
        if self._logarithmic:
            value = math.exp(mean)
            return self._sign * value, value * deviation
        return self._sign * mean, deviation

    def update(self, ended: Sequence[Observation], rng: np.random.Generator) -> None:
        """Take in what has ended since; the first time, that holds a completed candidate."""
        fresh = ended[self._read :]
        if len(ended) - self._fitted >= max(GROWTH * min(len(ended), 2 * MOST), 1):
            self._fit(ended, rng)
        elif fresh:
            self._extend(self._yardstick(fresh))
        self._read = len(ended)

    def settled(self, pending: Codes) -> tuple[Surrogate, Codes, Values]:
        """Return the surrogate with what is in training taken in, and the candidates that have a value.

        Their codes are `(n, s)`, their expected values `(n,)`: those of completed candidates, then those of
        what is in training.
        """
        surrogate, codes = self._surrogate, self._codes[self._complete]
        values = surrogate.fitted()[self._complete]
        if not len(pending):
            return surrogate, codes, values
        expected = surrogate.posterior(pending).expected
        surrogate = surrogate.extended(pending, expected, np.zeros(len(pending)))
        return surrogate, np.concatenate([codes, pending]), np.concatenate([values, expected])

    def _fit(self, ended: Sequence[Observation], rng: np.random.Generator) -> None:
        self._yardstick = Yardstick(ended, self.index, self._measure, self._sign, self.loss)
        evidence = self._yardstick(ended)
        evidence = evidence[_kept(evidence, self._encoding, rng)]
        kernels = self._surrogate.kernels if self._fitted else ()
        self._surrogate = Surrogate(self._features, evidence.codes, evidence.values, evidence.doubt, rng, kernels)
        self._codes, self._complete = evidence.codes, evidence.complete
        self._fitted = len(ended)

    def _extend(self, evidence: Evidence) -> None:
        if len(evidence):
            self._surrogate = self._surrogate.extended(evidence.codes, evidence.values, evidence.doubt)
            self._codes = np.concatenate([self._codes, evidence.codes])
            self._complete = np.concatenate([self._complete, evidence.complete])


def _kept(evidence: Evidence, encoding: Encoding, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Return the rows that a surrogate of limited size rests on: the front's layers, the latest, some others."""
    count = len(evidence)
    if count <= MOST:
        return np.arange(count)
    points = np.column_stack([evidence.values, encoding.log_costs(evidence.codes)])
    order = np.argsort(ranks(points), kind="stable")
    latest = np.arange(count - MOST // 6, count)
    rest = np.setdiff1d(order[MOST // 2 :], latest)
    others = rng.choice(rest, size=min(MOST // 3, len(rest)), replace=False)
    return np.unique(np.concatenate([order[: MOST // 2], latest, others]))
