"""The first candidates: uniform baselines, then architectures that lie far apart, from cheap to dear."""

from __future__ import annotations

from collections.abc import Container

import numpy as np

from search.strategy.proposals.encoding import EXACT, Code, Codes, Encoding, Values, key
from search.strategy.proposals.feasible import Feasible
from spaces import Configuration

__all__ = ["Design"]

DRAWS = 48
TILT = 8.0
STRATA = (-1.0, 0.6, -0.2, -0.6, 1.0, 0.2)


class Design:
    """Proposes candidates before there is anything to learn from.

    First the uniform baselines that were not proposed yet, each with hyperparameters of its own where there are any.
    Then, where there are none, spread ones: random architectures have middling costs, as a sum of many draws has, so
    each is drawn with choices tilted towards cheap or dear ones, in strata of which early ones are far apart; of many
    such draws the one is taken that differs most from its nearest predecessor.

    Attributes:
        size: How many candidates it proposes.
        uniform: The keys of the uniform baselines.
    """

    def __init__(self, encoding: Encoding, feasible: Feasible) -> None:
        self._encoding = encoding
        self._feasible = feasible
        baselines = np.array([encoding.encode(one) for one in _baselines(encoding)])
        self._baselines: list[Code] = list(baselines[feasible(baselines)])
        self.uniform = frozenset(key(baseline) for baseline in self._baselines)
        self._ranks = _cost_ranks(encoding)
        # A recipe tells more than a spread architecture, and the uniform networks have different ones.
        self.size = len(self._baselines) + (0 if encoding.hyperparameters else len(STRATA))

    def propose(self, before: Codes, seen: Container[bytes], rng: np.random.Generator) -> Code:
        """Return the next code; what was proposed is in `before`, `(n, columns)`, and as keys in `seen`."""
        for baseline in self._baselines:
            if key(baseline) not in seen and not self._tried(baseline, before):
                return baseline
        stratum = STRATA[(len(before) - len(self._baselines)) % len(STRATA)]
        drawn = self.tilted(stratum, DRAWS, rng)
        apart = self._encoding.apart(drawn, before).min(axis=1, initial=self._encoding.columns)
        return np.asarray(drawn[apart.argmax()])

    def _tried(self, baseline: Code, before: Codes) -> bool:
        """Return whether a uniform network was proposed with other hyperparameters."""
        slots = self._encoding.slots
        beside = self._encoding.columns > slots
        return beside and bool((before[:, :slots] == baseline[:slots]).all(axis=1).any())

    def tilted(self, stratum: float, count: int, rng: np.random.Generator) -> Codes:
        """Return feasible draws, tilted towards cheap (stratum −1) or dear (1) choices; `count` at most."""
        drawn = self._encoding.draw(rng, count, self._encoding.chances * np.exp(TILT * stratum * self._ranks))
        kept = drawn[self._feasible(drawn)]
        if len(kept):
            return kept
        repaired = [code for drawn_one in drawn[:4] if (code := self._feasible.repair(drawn_one, rng)) is not None]
        return np.array(repaired or [self._feasible.unseen(drawn[0], (), rng)])


def _baselines(encoding: Encoding) -> list[Configuration]:
    """Return the uniform networks; where there are hyperparameters, each with other ones."""
    count = len(encoding.space.ops)
    every = encoding.space.baselines(draws=count)
    settings = len(every) // count
    return [every[index % settings * count + index] for index in range(count)]


def _cost_ranks(encoding: Encoding) -> Values:
    """Return the mean rank of each choice's costs in its column, from 0 (cheapest) to 1; 0 fills up.

    A hyperparameter of the training costs nothing; one of the host network is taken by what the host costs with it.
    """
    ranks = np.zeros(encoding.chances.shape)
    for column, size in enumerate(encoding.sizes.tolist()):
        for name in EXACT:
            distinct, rank = np.unique(_costs(encoding, name, column, size), return_inverse=True)
            ranks[column, :size] += rank / max(len(distinct) - 1, 1)
    return ranks / len(EXACT)


def _costs(encoding: Encoding, name: str, column: int, size: int) -> Values:
    """Return what the choices of a slot cost in the first variant that has it, or the variants of a hyperparameter."""
    if column < encoding.slots:
        first = int(encoding.present[:, column].argmax())
        return np.asarray(encoding.costs[name][first, column, :size])
    codes = np.zeros((size, encoding.columns), dtype=np.int64)
    codes[:, column] = np.arange(size)
    return np.asarray(encoding.fixed[name][encoding.variant(codes)])
