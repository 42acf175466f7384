"""One of Optuna's samplers, kept from proposing what was proposed before or breaks a constraint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from search.strategy.proposals.encoding import Code
from search.strategy.proposals.proposing import ProposingSampler
from search.strategy.samplers.registry import Problem

__all__ = ["GuardedSampler"]


class GuardedSampler(ProposingSampler):
    """Takes the parameters of another sampler as a proposal.

    Args:
        problem: The space, the objectives, the seed and the constraints.
        inner: The sampler that proposes.
    """

    def __init__(self, problem: Problem, inner: BaseSampler) -> None:
        super().__init__(problem)
        self.inner = inner

    def propose(self, study: Study, trial: FrozenTrial, rng: np.random.Generator) -> Code:
        """Return what the other sampler proposes."""
        return self.encoding.encode(self.problem.space.suggest(_Draft(self.inner, study, trial)))

    def reseed_rng(self) -> None:
        """Reseed the other sampler."""
        self.inner.reseed_rng()

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Tell the other sampler that a trial starts."""
        self.inner.before_trial(study, trial)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        """Tell the other sampler that a trial ends."""
        self.inner.after_trial(study, trial, state, values)


class _Draft:
    """A trial that takes no part in the study: it collects what a sampler suggests."""

    def __init__(self, sampler: BaseSampler, study: Study, trial: FrozenTrial) -> None:
        self._sampler, self._study, self._trial = sampler, study, trial
        space = sampler.infer_relative_search_space(study, trial)
        self._relative: Mapping[str, Any] = sampler.sample_relative(study, trial, space)

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """Return what was drawn together with other parameters, else a draw of this one alone."""
        if name in self._relative:
            return self._relative[name]
        distribution: BaseDistribution = CategoricalDistribution(tuple(choices))
        return self._sampler.sample_independent(self._study, self._trial, name, distribution)
