"""The first candidates: uniform baselines, then architectures that lie far apart, from cheap to dear."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from search.strategy.proposals.encoding import EXACT, Code, Codes, Encoding, Values, key
from search.strategy.proposals.feasible import Feasible

__all__ = ["Design"]

DRAWS = 48
TILT = 8.0
STRATA = (-1.0, 0.6, -0.2, -0.6, 1.0, 0.2)


class Design:
    """Proposes candidates before there is anything to learn from.

    First the uniform baselines that were not proposed yet. Then spread ones: random architectures have middling
    costs, as a sum of many draws has, so each is drawn with choices tilted towards cheap or dear ones, in strata of
    which early ones are far apart; of many such draws the one is taken that differs most from its nearest predecessor.
    """

    def __init__(self, encoding: Encoding, feasible: Feasible) -> None:
        self._encoding = encoding
        self._feasible = feasible
        baselines = np.array([encoding.encode(architecture) for architecture in encoding.space.baselines()])
        self._baselines: list[Code] = list(baselines[feasible(baselines)])
        self._ranks = _cost_ranks(encoding)
        self.size = len(self._baselines) + len(STRATA)

    def propose(self, before: Codes, seen: Collection[bytes], rng: np.random.Generator) -> Code:
        """Return the next code; what was proposed is in `before`, `(n, s)`, and as keys in `seen`."""
        for baseline in self._baselines:
            if key(baseline) not in seen:
                return baseline
        stratum = STRATA[(len(before) - len(self._baselines)) % len(STRATA)]
        drawn = self.tilted(stratum, DRAWS, rng)
        apart = (drawn[:, None, :] != before[None]).sum(axis=2).min(axis=1, initial=self._encoding.slots)
        return np.asarray(drawn[apart.argmax()])

    def tilted(self, stratum: float, count: int, rng: np.random.Generator) -> Codes:
        """Return feasible draws, tilted towards cheap (stratum −1) or dear (1) choices; `count` at most."""
        drawn = self._encoding.draw(rng, count, self._encoding.chances * np.exp(TILT * stratum * self._ranks))
        kept = drawn[self._feasible(drawn)]
        if len(kept):
            return kept
        repaired = [code for drawn_one in drawn[:4] if (code := self._feasible.repair(drawn_one, rng)) is not None]
        return np.array(repaired or [self._feasible.unseen(drawn[0], (), rng)])


def _cost_ranks(encoding: Encoding) -> Values:
    """Return the mean rank of each choice's costs at its slot, from 0 (cheapest) to 1; 0 fills up."""
    ranks = np.zeros(encoding.ops.shape)
    for s, size in enumerate(encoding.sizes.tolist()):
        for name in EXACT:
            distinct, rank = np.unique(encoding.costs[name][s, :size], return_inverse=True)
            ranks[s, :size] += rank / max(len(distinct) - 1, 1)
    return ranks / len(EXACT)
