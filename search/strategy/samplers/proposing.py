"""What a sampler is built from, the registry of all of them, and the base of those that propose architectures."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial
from threadpoolctl import ThreadpoolController

from fusion_ops.errors import SpecError
from fusion_ops.registry import Registry
from search.strategy.observations import Observations
from search.strategy.proposals.encoding import Code, Encoding
from search.strategy.proposals.feasible import Feasible
from search.strategy.trials import parameters, save_prediction
from spaces import SearchSpace

__all__ = ["SAMPLERS", "Problem", "ProposingSampler"]


@dataclass(frozen=True, slots=True)
class Problem:
    """What a sampler knows of the search before it starts.

    Args:
        space: The search space.
        objectives: Names of the objectives, in the study's order.
        seed: Seed of all draws.
        constraints: Bounds by measure: at most on a cost or a loss, at least on any other quality.
    """

    space: SearchSpace
    objectives: tuple[str, ...]
    seed: int = 0
    constraints: Mapping[str, float] = field(default_factory=dict)


SAMPLERS: Registry[Callable[[Problem], BaseSampler]] = Registry("sampler")


class ProposingSampler(BaseSampler):
    """Proposes a whole architecture when a trial is asked for.

    A proposal depends on the seed, the trial's number and what the study says, so that a sampler which is
    created anew goes on as the old one would have. Trials that were queued with parameters keep them.

    Args:
        problem: The space, the objectives, the seed and the constraints.

    Attributes:
        second_look: Set by `propose` where its code was stopped and is to be trained again, this time to its end.
        predicted: Set by `propose` where a model predicts the quality of its code: the quality, and the standard
            deviation of what a single training shows. Kept in the trial, so that models can be held against results.

    Raises:
        Infeasible: No architecture meets the constraints.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.second_look = False
        self.predicted: tuple[float, float] | None = None
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
            self.second_look, self.predicted = False, None
            proposed = code = self.propose(study, trial, rng)
        if not self.second_look:
            code = self.feasible.unseen(code, self.observations.seen, rng)
        if self.predicted is not None and np.array_equal(code, proposed):
            save_prediction(study, trial, *self.predicted)
        self.observations.remember(trial.number, code)
        return self.encoding.params(code)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Return a uniform draw: only a trial that was queued with some of its parameters needs one.

        Raises:
            SpecError: The parameter is not categorical.
        """
        if not isinstance(param_distribution, CategoricalDistribution):
            raise SpecError(f"`{param_name}` must be categorical; got {param_distribution}.")
        rng = np.random.default_rng([self.problem.seed, trial.number, *param_name.encode()])
        return param_distribution.choices[rng.integers(len(param_distribution.choices))]


@cache
def _blas() -> ThreadpoolController:
    """Return what holds NumPy to one thread: its matrices are small, and the cores belong to the trainings."""
    return ThreadpoolController()
