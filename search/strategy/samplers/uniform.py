"""`random`: every architecture is drawn by itself, at each point an operator, then a ratio, each uniformly."""

from __future__ import annotations

import numpy as np
from optuna.study import Study
from optuna.trial import FrozenTrial

from search.strategy.proposals.encoding import Code
from search.strategy.proposals.proposing import ProposingSampler
from search.strategy.samplers.registry import SAMPLERS

__all__ = ["UniformSampler"]


@SAMPLERS.register("random")
class UniformSampler(ProposingSampler):
    """Draws without looking at results: what every other sampler has to beat."""

    def propose(self, study: Study, trial: FrozenTrial, rng: np.random.Generator) -> Code:
        """Return a random code."""
        code: Code = self.encoding.draw(rng, 1)[0]
        return code
