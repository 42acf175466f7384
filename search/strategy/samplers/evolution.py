"""`evolution`: regularised evolution (Real et al., arXiv:1802.01548) on one objective or several."""

from __future__ import annotations

import numpy as np
from optuna.study import Study
from optuna.trial import FrozenTrial

from reports.pareto import ranks
from search.strategy.observations import Observation
from search.strategy.proposals.encoding import Code
from search.strategy.proposals.moves import mutate
from search.strategy.proposals.proposing import ProposingSampler
from search.strategy.samplers.registry import SAMPLERS

__all__ = ["EvolutionSampler"]

POPULATION = 24
TOURNAMENT = 6


@SAMPLERS.register("evolution")
class EvolutionSampler(ProposingSampler):
    """Mutates the winner of a tournament among the youngest.

    The population is what ended last, so that every candidate dies of age, however lucky it was. Of a random
    part of it the one with the best Pareto rank within the population becomes the parent; of equal ranks the
    first one drawn. The paper has one objective, where the rank is the order. A child differs from its parent
    in one slot. Candidates that were stopped age like others and are parents last; failed ones are left
    out.
    """

    def propose(self, study: Study, trial: FrozenTrial, rng: np.random.Generator) -> Code:
        """Return a random code until the population is full, then a child."""
        population = [seen for seen in self.observations.ended if seen.outcome != "failed"][-POPULATION:]
        if len(population) < POPULATION or all(member.values is None for member in population):
            drawn: Code = self.encoding.draw(rng, 1)[0]
            return drawn
        parent = self._parent(population, len(study.directions), rng)
        child: Code = mutate(self.encoding, parent.code[None], 1, rng)[0]
        return child

    def _parent(self, population: list[Observation], objectives: int, rng: np.random.Generator) -> Observation:
        worst = np.full(objectives, np.inf)
        order = ranks(np.array([worst if member.values is None else member.values for member in population]))
        drawn = rng.choice(len(population), size=TOURNAMENT, replace=False)
        return population[int(drawn[order[drawn].argmin()])]
