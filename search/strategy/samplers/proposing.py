"""What a sampler is built from, the registry of all of them, and the base of those that propose configurations."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.study import Study
from optuna.trial import FrozenTrial

from fusion_ops.registry import Registry
from reports.one_thread import one_thread
from search.strategy.observations import Observations
from search.strategy.proposals.distributions import hyperparameter
from search.strategy.proposals.encoding import Code, Encoding
from search.strategy.proposals.feasible import Feasible
from search.strategy.shared_parameters import SharedParameters
from search.strategy.surrogate.transfer import Knowledge
from search.strategy.trials import parameters, save_prediction
from spaces import JointSpace, SearchSpace
from spaces.joint import joint

__all__ = ["SAMPLERS", "Problem", "ProposingSampler"]


@dataclass(frozen=True, slots=True)
class Problem:
    """What a sampler knows of the search before it starts.

    Args:
        space: The search space, with hyperparameters or without.
        objectives: Names of the objectives, in the study's order.
        seed: Seed of all draws.
        constraints: Bounds by measure: at most on a cost or a loss, at least on any other quality.
        prior: What is known already, such as what another run has learnt; `auto` makes use of it.
    """

    space: SearchSpace | JointSpace
    objectives: tuple[str, ...]
    seed: int = 0
    constraints: Mapping[str, float] = field(default_factory=dict)
    prior: Knowledge | None = None


SAMPLERS: Registry[Callable[[Problem], BaseSampler]] = Registry("sampler")


class ProposingSampler(BaseSampler):
    """Proposes a whole configuration when a trial is asked for.

    A proposal depends on the seed, the trial's number and what the study says, so that a sampler which is
    created anew goes on as the old one would have. Trials that were queued with parameters keep them; with some
    parameters only, the others are proposed to go with them. What every trial of a user's own study suggests beside
    the space, `trial.suggest_float("lr", …)`, is proposed with it; what only some trials suggest is drawn at random.

    Args:
        problem: The space, the objectives, the seed and the constraints.

    Attributes:
        second_look: Set by `propose` where its code was stopped and is to be trained again, from where it was stopped.
        predicted: Set by `propose` where a model predicts the quality of its code: the quality, and the standard
            deviation of what a single training shows. Kept in the trial, so that models can be held against results.
        exact: Set by `propose` where hyperparameters have values between the levels of its code: these, by name.

    Raises:
        Infeasible: No architecture meets the constraints.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self._own = frozenset(Encoding(problem.space).distributions)
        self._shared = SharedParameters()
        self._beside: dict[str, BaseDistribution] = {}
        self._begin(joint(problem.space))

    def _begin(self, space: JointSpace) -> None:
        self.second_look = False
        self.predicted: tuple[float, float] | None = None
        self.exact: dict[str, Any] = {}
        self.encoding = Encoding(space)
        self.feasible = Feasible(self.encoding, self.problem.constraints)
        self.observations = Observations(self.encoding)
        self.prepare()

    def prepare(self) -> None:
        """Begin anew with `encoding`, `feasible` and `observations`: at first, and when further parameters appear."""

    @abstractmethod
    def propose(self, study: Study, trial: FrozenTrial, rng: np.random.Generator) -> Code:
        """Return the code to propose.

        One that was seen or breaks a constraint is replaced by one near it, unless it is a second look.
        """

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Return every parameter that is proposed, but for those that the trial has already."""
        self._keep_up(study)
        known = parameters(trial)
        if known and self.encoding.decode(known) is not None:
            return {}
        return {name: of for name, of in self.encoding.distributions.items() if name not in known}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: Mapping[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return the parameters of the configuration that is proposed."""
        if not search_space:
            return {}
        known = parameters(trial)
        self.observations.update(study, besides=trial.number)
        rng = np.random.default_rng([self.problem.seed, trial.number])
        self.encoding.pins = self.encoding.pinned(known, rng) if known else {}
        try:
            params, code = self._proposed(study, trial, rng)
        finally:
            self.encoding.pins = {}
        if self.encoding.distributions.keys() <= search_space.keys() | known.keys():
            self.observations.remember(trial.number, code)
        # As Optuna has it: 1.0, where a level is 1.
        return {
            name: of.to_external_repr(of.to_internal_repr(params[name]))
            for name, of in {**search_space, **self._beside}.items()
            if name in search_space and name in params
        }

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Return a uniform draw of a parameter that was not proposed, as Optuna's random sampler makes it."""
        seed = np.random.SeedSequence([self.problem.seed, trial.number, *param_name.encode()]).generate_state(1)
        return RandomSampler(seed=int(seed[0])).sample_independent(study, trial, param_name, param_distribution)

    def _proposed(self, study: Study, trial: FrozenTrial, rng: np.random.Generator) -> tuple[dict[str, Any], Code]:
        with one_thread():
            self.second_look, self.predicted, self.exact = False, None, {}
            proposed = code = self.encoding.canonical(self.propose(study, trial, rng))
        if not self.second_look:
            code = self.feasible.unseen(code, self.observations.seen, rng)
        if self.predicted is not None and np.array_equal(code, proposed):
            save_prediction(study, trial, *self.predicted)
        params = self.encoding.params(code)
        kept = self.encoding.known(self.exact)
        return params | {
            one.name: self.exact[one.name]
            for column, one in enumerate(self.encoding.hyperparameters, start=self.encoding.slots)
            if column in kept and kept[column] == code[column]
        }, code

    def _keep_up(self, study: Study) -> None:
        """Take in the parameters that every trial of a study has beside those of the space, if these are others now."""
        beside = {name: of for name, of in self._shared.of(study).items() if name not in self._own}
        if beside == self._beside:
            return
        self._beside = beside
        own = joint(self.problem.space)
        found = (hyperparameter(name, of) for name, of in beside.items())
        self._begin(own.beside([one for one in found if one is not None]))
