"""A surrogate of one objective that keeps up with a study."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from reports.fronts.dominance import foremost
from reports.measures import MEASURES
from search.strategy.observations import Observations
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
        quality = measure in MEASURES and MEASURES[measure].quality
        self._diverging = bool(encoding.hyperparameters) and quality
        self._logarithmic = measure in MEASURES and MEASURES[measure].direction == "minimize"
        self._fitted = self._read = 0
        self._surrogate: Surrogate

    def loss(self, value: float) -> float:
        """Return a value to minimise as the model sees it: losses and costs by their logarithm."""
        return math.log(max(value, 1e-12)) if self._logarithmic else value

    def limit(self, constraints: Mapping[str, float]) -> float:
        """Return the user's bound on the objective as a value that the model sees; infinite where there is none."""
        limit = self.loss(self._sign * constraints.get(self._measure, self._sign * math.inf))
        return float(self._yardstick.drawn_in(np.array(limit))) if self._diverging else limit

    def foretold(self, surrogate: Surrogate, code: Code) -> tuple[float, float]:
        """Return the measure that one training of a code is expected to show, and its standard deviation.

        Of what is modelled by its logarithm the deviation is that of small relative errors.
        """
        mean, deviation = self._yardstick.drawn_out(*surrogate.foretold(code[None]))
        if self._logarithmic:
            value = math.exp(mean)
            return self._sign * value, value * deviation
        return self._sign * mean, deviation

    def update(self, seen: Observations, rng: np.random.Generator) -> None:
        """Take in what has ended since; the first time, that holds a completed candidate."""
        fresh = seen.since(self._read)
        if seen.count - self._fitted >= max(GROWTH * min(seen.count, 2 * MOST), 1):
            self._fit(seen, rng)
        elif fresh:
            self._extend(self._yardstick(fresh))
        self._read = seen.count

    def settled(self, pending: Codes) -> tuple[Surrogate, Codes, Values]:
        """Return the surrogate with what is in training taken in, and the candidates that have a value.

        Their codes are `(n, s)`, their expected values `(n,)`: those of completed candidates, then those of
        what is in training.
        """
        codes, values = self.completed()
        if not len(pending):
            return self._surrogate, codes, values
        expected = self._surrogate.posterior(pending).expected
        return self.taken_in(pending, expected), np.concatenate([codes, pending]), np.concatenate([values, expected])

    def expected(self, pending: Codes) -> Values:
        """Return what is expected of what is in training, `(n,)`."""
        return self._surrogate.expected(pending)

    def taken_in(self, pending: Codes, expected: Values) -> Surrogate:
        """Return the surrogate as if codes in training had shown what is expected of them."""
        return self._surrogate.extended(pending, expected, np.zeros(len(pending)))

    def completed(self) -> tuple[Codes, Values]:
        """Return the completed candidates: codes `(n, s)` and expected values `(n,)`."""
        return self._codes[self._complete], self._surrogate.fitted()[self._complete]

    def _fit(self, seen: Observations, rng: np.random.Generator) -> None:
        self._yardstick = Yardstick(
            seen.ended, self.index, self._measure, self._sign, self.loss, diverging=self._diverging
        )
        evidence = self._yardstick(seen.ended)
        evidence = evidence[_kept(evidence, self._encoding, rng)]
        kernels = self._surrogate.kernels if self._fitted else ()
        self._surrogate = Surrogate(self._features, evidence.codes, evidence.values, evidence.doubt, rng, kernels)
        self._codes, self._complete = evidence.codes, evidence.complete
        self._fitted = seen.count

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
    best = foremost(points, MOST // 2)
    latest = np.arange(count - MOST // 6, count)
    rest = np.setdiff1d(np.arange(count), np.concatenate([best, latest]))
    others = rng.choice(rest, size=min(MOST // 3, len(rest)), replace=False)
    return np.unique(np.concatenate([best, latest, others]))
