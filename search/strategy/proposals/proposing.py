"""The base of samplers that propose whole architectures."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial
from threadpoolctl import ThreadpoolController

from fusion_ops.errors import SpecError
from search.strategy.observations import Observations
from search.strategy.proposals.encoding import Code, Encoding
from search.strategy.proposals.feasible import Feasible
from search.strategy.samplers.registry import Problem
from search.strategy.trials import parameters

__all__ = ["ProposingSampler", "draw_independently"]


class ProposingSampler(BaseSampler):
    """Proposes a whole architecture when a trial is asked for.

    A proposal depends on the seed, the trial's number and what the study says, so that a sampler which is
    created anew goes on as the old one would have. Trials that were queued with parameters keep them.

    Args:
        problem: The space, the objectives, the seed and the constraints.

    Attributes:
        second_look: Set by `propose` where its code was stopped and is to be trained again, this time to its end.

    Raises:
        Infeasible: No architecture meets the constraints.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.second_look = False
        self.encoding = Encoding(problem.space)
        self.feasible = Feasible(self.encoding, problem.constraints)
        self.observations = Observations(self.encoding)

    @abstractmethod
    def propose(self, study: Study, trial: FrozenTrial, rng: np.random.Generator) -> Code:
        """Return the code to propose.

        One that was seen or breaks a constraint is replaced by one near it, unless it is a second look.
        """

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Return every parameter of the space, or nothing for a trial that has parameters already."""
        return {} if parameters(trial) else dict(self.encoding.distributions)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: Mapping[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return the parameters of the architecture that is proposed."""
        if not search_space:
            return {}
        self.observations.update(study, besides=trial.number)
        rng = np.random.default_rng([self.problem.seed, trial.number])
        with _blas().limit(limits=1, user_api="blas"):
            self.second_look = False
            code = self.propose(study, trial, rng)
        if not self.second_look:
            code = self.feasible.unseen(code, self.observations.seen, rng)
        self.observations.remember(trial.number, code)
        return self.encoding.params(code)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Return a uniform draw: only a trial that was queued with some of its parameters needs one."""
        return draw_independently(self.problem.seed, trial.number, param_name, param_distribution)


@cache
def _blas() -> ThreadpoolController:
    """Return what holds NumPy to one thread: its matrices are small, and the cores belong to the trainings."""
    return ThreadpoolController()


def draw_independently(seed: int, number: int, name: str, distribution: BaseDistribution) -> Any:
    """Return one of a parameter's choices, keyed by the seed, the trial and the parameter.

    Raises:
        SpecError: The parameter is not categorical.
    """
    if not isinstance(distribution, CategoricalDistribution):
        raise SpecError(f"`{name}` must be categorical; got {distribution}.")
    rng = np.random.default_rng([seed, number, *name.encode()])
    return distribution.choices[rng.integers(len(distribution.choices))]
