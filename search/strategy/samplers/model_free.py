"""`random`, `evolution` and `local`: samplers without a model."""

from __future__ import annotations

import numpy as np
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from reports.fronts.dominance import non_dominated, ranks
from search.strategy.proposals.encoding import Code
from search.strategy.samplers.proposing import SAMPLERS, ProposingSampler

__all__ = ["EvolutionSampler", "LocalSampler", "UniformSampler"]

POPULATION, TOURNAMENT = 24, 6
START = 10


@SAMPLERS.register("random")
class UniformSampler(ProposingSampler):
    """Draws without looking at results: what every other sampler has to beat."""

    def propose(self, study: Study, trial: FrozenTrial, rng: np.random.Generator) -> Code:
        """Return a random code."""
        return self.encoding.draw_one(rng)


@SAMPLERS.register("evolution")
class EvolutionSampler(ProposingSampler):
    """Regularised evolution (Real et al., arXiv:1802.01548) on one objective or several.

    It mutates the winner of a tournament among the youngest: the population is what ended last, so that every
    candidate dies of age, however lucky it was. Of a random part of it the one with the best Pareto rank within the
    population becomes the parent; of equal ranks the first one drawn. The paper has one objective, where the rank is
    the order. A child differs from its parent in one slot. Candidates that were stopped age like others and are
    parents last; failed ones are left out.
    """

    def propose(self, study: Study, trial: FrozenTrial, rng: np.random.Generator) -> Code:
        """Return a random code until the population is full, then a child."""
        population = [seen for seen in self.observations.ended if seen.state != TrialState.FAIL][-POPULATION:]
        if len(population) < POPULATION or all(member.values is None for member in population):
            return self.encoding.draw_one(rng)
        worst = np.full(len(study.directions), np.inf)
        order = ranks(np.array([worst if member.values is None else member.values for member in population]))
        drawn = rng.choice(POPULATION, size=TOURNAMENT, replace=False)
        parent = population[drawn[order[drawn].argmin()]]
        return np.asarray(self.encoding.mutate(parent.code[None], 1, rng)[0])


@SAMPLERS.register("local")
class LocalSampler(ProposingSampler):
    """Multi-objective local search over the neighbours of the front.

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
            around = [self.encoding.neighbors(complete[index].code) for index in rng.permutation(on_front)]
            widest = max((self.feasible.fresh(codes, self.observations.seen) for codes in around), key=len)
            if len(widest):
                return np.asarray(rng.choice(widest))
        return self.encoding.draw_one(rng)
