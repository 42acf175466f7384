"""What a model is asked about: mutants and children of the front, strangers, neighbours of the best."""

from __future__ import annotations

from collections.abc import Container

import numpy as np

from search.strategy.proposals.design import Design
from search.strategy.proposals.encoding import Codes, Encoding
from search.strategy.proposals.feasible import Feasible

__all__ = ["Pool"]

ENUMERABLE = 2048
MUTANTS, CHILDREN, STRANGERS = 96, 48, 24
STEPS = 96


class Pool:
    """Draws feasible codes that were not proposed yet; the design draws the strangers, from cheap to dear.

    Attributes:
        whole: Every code, if the space is small: `draw` returns what is left of it, and there is nothing to climb to.
    """

    def __init__(self, encoding: Encoding, feasible: Feasible, design: Design) -> None:
        self._encoding = encoding
        self._feasible = feasible
        self._design = design
        self.whole: Codes | None = None
        if encoding.size() <= ENUMERABLE:
            self.whole = encoding.whole()

    def draw(self, front: Codes, seen: Container[bytes], rng: np.random.Generator) -> Codes:
        """Return codes to choose from, given the codes of the estimated front; `(n, columns)`, n may be 0."""
        if self.whole is not None:
            return self._feasible.fresh(self._encoding.canonical(self.whole), seen)
        parents = front[rng.integers(len(front), size=MUTANTS)]
        mutants = self._encoding.mutate(parents, 1 + rng.geometric(0.5, size=MUTANTS), rng)
        first, second = front[rng.integers(len(front), size=(2, CHILDREN))]
        crossed = np.where(rng.random(first.shape) < 0.5, first, second)
        children = self._encoding.mutate(crossed, rng.integers(0, 2, size=CHILDREN), rng)
        strangers = self._design.tilted(float(rng.uniform(-1.0, 1.0)), STRANGERS, rng)
        return self._feasible.fresh(np.concatenate([mutants, children, strangers]), seen)

    def steps(self, climbers: Codes, seen: Container[bytes], rng: np.random.Generator) -> Codes:
        """Return neighbours of some codes: `(n, columns)`, n may be 0."""
        around = np.concatenate([self._encoding.neighbors(code) for code in climbers])
        return self._feasible.fresh(around[rng.permutation(len(around))[:STEPS]], seen)
