"""`local`: multi-objective local search over the neighbours of the front."""

from __future__ import annotations

import numpy as np
from optuna.study import Study
from optuna.trial import FrozenTrial

from reports.pareto import non_dominated
from search.strategy.proposals.encoding import Code, Codes, key
from search.strategy.proposals.moves import neighbors
from search.strategy.proposals.proposing import ProposingSampler
from search.strategy.samplers.registry import SAMPLERS

__all__ = ["LocalSampler"]

START = 10


@SAMPLERS.register("local")
class LocalSampler(ProposingSampler):
    """Proposes neighbours of the front that were not proposed yet.

    After a few random architectures every proposal differs in one decision from a member of the front
    (`space.neighbors`): the member that has the most neighbours left, so that the whole front is worked on;
    of equals a random one. When the front has no neighbour left, all around it is known, and a random
    architecture starts the search anew elsewhere. One objective: the front is the best candidate.
    """

    def propose(self, study: Study, trial: FrozenTrial, rng: np.random.Generator) -> Code:
        """Return a new neighbour of the front, or a random code."""
        complete = [seen for seen in self.observations.ended if seen.values is not None]
        if len(complete) >= START:
            on_front = np.flatnonzero(non_dominated(np.array([seen.values for seen in complete])))
            around = [self._around(complete[index].code) for index in rng.permutation(on_front)]
            widest = max(around, key=len, default=np.empty((0, 0)))
            if len(widest):
                chosen: Code = widest[rng.integers(len(widest))]
                return chosen
        drawn: Code = self.encoding.draw(rng, 1)[0]
        return drawn

    def _around(self, code: Code) -> Codes:
        around = neighbors(self.encoding, code)
        around = around[self.feasible(around)]
        fresh = [key(near) not in self.observations.seen for near in around]
        return around[np.array(fresh, dtype=np.bool_)]
