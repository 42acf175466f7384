"""`tpe`, `nsga2` and `gp`: Optuna's samplers, kept from proposing what was proposed before or breaks a constraint."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import optuna
from optuna.distributions import CategoricalDistribution
from optuna.samplers import BaseSampler, GPSampler, NSGAIISampler, TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState, create_trial

from search.strategy.proposals.encoding import Code
from search.strategy.samplers.proposing import SAMPLERS, Problem, ProposingSampler

__all__ = ["FlatSampler", "GuardedSampler"]


class GuardedSampler(ProposingSampler):
    """Takes the parameters of another sampler as a proposal."""

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
        """Let the other sampler know that a trial starts."""
        self.inner.before_trial(study, trial)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        """Let the other sampler know that a trial ends."""
        self.inner.after_trial(study, trial, state, values)


class _Draft:
    """A trial that takes no part in the study: it collects what a sampler suggests."""

    def __init__(self, sampler: BaseSampler, study: Study, trial: FrozenTrial) -> None:
        self._independent = partial(sampler.sample_independent, study, trial)
        space = sampler.infer_relative_search_space(study, trial)
        self._relative: Mapping[str, Any] = sampler.sample_relative(study, trial, space)

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """Return what was drawn together with other parameters, else a draw of this one alone."""
        if name in self._relative:
            return self._relative[name]
        return self._independent(name, CategoricalDistribution(tuple(choices)))


class FlatSampler(ProposingSampler):
    """Asks another sampler on a study in memory, in which every slot is one parameter.

    `GPSampler` models only parameters that every trial has, so it would draw all conditional ratios at random. Here
    each slot is one categorical parameter with every operator and ratio. The study repeats the completed candidates
    of the real one, and those in training as running.
    """

    def __init__(self, problem: Problem, inner: BaseSampler) -> None:
        super().__init__(problem)
        self.inner = inner
        sizes = self.encoding.sizes.tolist()
        self._flat = {f"slot{s}": CategoricalDistribution(tuple(range(size))) for s, size in enumerate(sizes)}

    def propose(self, study: Study, trial: FrozenTrial, rng: np.random.Generator) -> Code:
        """Return what the other sampler proposes."""
        mirror = self._empty_study(len(study.directions))
        for seen in (*self.observations.ended, *self.observations.pending):
            if seen.state not in (TrialState.PRUNED, TrialState.FAIL):
                mirror.add_trial(self._repeated(seen.code, None if seen.values is None else seen.values.tolist()))
        draft = mirror.ask(dict(self._flat))
        return np.array([draft.params[name] for name in self._flat])

    def _empty_study(self, objectives: int) -> Study:
        verbosity = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        try:
            return optuna.create_study(directions=["minimize"] * objectives, sampler=self.inner)
        finally:
            optuna.logging.set_verbosity(verbosity)

    def _repeated(self, code: Code, values: list[float] | None) -> FrozenTrial:
        params = dict(zip(self._flat, code.tolist(), strict=True))
        state = TrialState.RUNNING if values is None else TrialState.COMPLETE
        return create_trial(state=state, params=params, distributions=dict(self._flat), values=values)


# `gp` takes time that grows with the cube of the candidates; `nsga2` has a population for tens to hundreds of them.
_TABLE: dict[str, tuple[Callable[[Problem, BaseSampler], ProposingSampler], Callable[..., BaseSampler]]] = {
    "tpe": (GuardedSampler, partial(TPESampler, multivariate=True, group=True, constant_liar=True)),
    "nsga2": (GuardedSampler, partial(NSGAIISampler, population_size=20)),
    "gp": (FlatSampler, GPSampler),
}


def _created(name: str, problem: Problem) -> ProposingSampler:
    wrapper, sampler = _TABLE[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return wrapper(problem, sampler(seed=problem.seed))


for _name in _TABLE:
    SAMPLERS.register(_name)(partial(_created, _name))
