"""`tpe`, `nsga2` and `gp`: Optuna's samplers, kept from proposing what was proposed before or breaks a constraint."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, GPSampler, NSGAIISampler, TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState, create_trial

from search.strategy.proposals.distributions import distribution
from search.strategy.proposals.encoding import Code
from search.strategy.samplers.proposing import SAMPLERS, Problem, ProposingSampler
from search.strategy.trials import parameters
from spaces.hyperparameter import label

__all__ = ["FlatSampler", "GuardedSampler"]


class GuardedSampler(ProposingSampler):
    """Takes the parameters of another sampler as a proposal."""

    def __init__(self, problem: Problem, inner: BaseSampler) -> None:
        super().__init__(problem)
        self.inner = inner

    def propose(self, study: Study, trial: FrozenTrial, rng: np.random.Generator) -> Code:
        """Return what the other sampler proposes."""
        configuration = self.encoding.space.suggest(_Draft(self.inner, study, trial))
        self.exact = dict(configuration.hyperparameters)
        return self.encoding.encode(configuration)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Return what the other sampler draws of a parameter that was not proposed."""
        return self.inner.sample_independent(study, trial, param_name, param_distribution)

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
    """A trial that takes no part in the study: it collects what a sampler suggests beside what is decided already."""

    def __init__(self, sampler: BaseSampler, study: Study, trial: FrozenTrial) -> None:
        self._independent = partial(sampler.sample_independent, study, trial)
        space = sampler.infer_relative_search_space(study, trial)
        self._drawn: dict[str, Any] = sampler.sample_relative(study, trial, space) | parameters(trial)

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """Return one of some choices."""
        return self._suggest(name, CategoricalDistribution(tuple(choices)))

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """Return a number from a range."""
        return float(self._suggest(name, FloatDistribution(low, high, log, step)))

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        """Return a whole number from a range."""
        return int(self._suggest(name, IntDistribution(low, high, log, step)))

    def _suggest(self, name: str, of: BaseDistribution) -> Any:
        """Return what was drawn together with other parameters, else a draw of this one alone."""
        return self._drawn[name] if name in self._drawn else self._independent(name, of)


class FlatSampler(ProposingSampler):
    """Asks another sampler on a study in memory, in which every slot is one parameter.

    `GPSampler` models only parameters that every trial has, so it would draw all conditional ratios at random. Here
    each slot is one categorical parameter with every operator and ratio, beside the hyperparameters. The study repeats
    the completed candidates of the real one, and those in training as running.
    """

    def __init__(self, problem: Problem, inner: BaseSampler) -> None:
        super().__init__(problem)
        self.inner = inner

    def prepare(self) -> None:
        """Begin with the parameters of the study in memory."""
        sizes = self.encoding.sizes[: self.encoding.slots].tolist()
        self._flat: dict[str, BaseDistribution] = {
            f"slot{s}": CategoricalDistribution(tuple(range(size))) for s, size in enumerate(sizes)
        }
        self._flat |= {one.name: distribution(one) for one in self.encoding.hyperparameters}

    def propose(self, study: Study, trial: FrozenTrial, rng: np.random.Generator) -> Code:
        """Return what the other sampler proposes."""
        mirror = self._empty_study(len(study.directions))
        for seen in (*self.observations.ended, *self.observations.pending):
            if seen.state not in (TrialState.PRUNED, TrialState.FAIL):
                mirror.add_trial(self._repeated(seen.code, None if seen.values is None else seen.values.tolist()))
        draft = mirror.ask(dict(self._flat)).params
        self.exact = {one.name: draft[one.name] for one in self.encoding.hyperparameters}
        levels = self.encoding.known(self.exact)
        slots = range(self.encoding.slots)
        return np.array(
            [*(draft[f"slot{s}"] for s in slots), *(levels[column] for column in sorted(levels) if column not in slots)]
        )

    def _empty_study(self, objectives: int) -> Study:
        verbosity = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        try:
            return optuna.create_study(directions=["minimize"] * objectives, sampler=self.inner)
        finally:
            optuna.logging.set_verbosity(verbosity)

    def _repeated(self, code: Code, values: list[float] | None) -> FrozenTrial:
        params = dict(zip(self._flat, code.tolist(), strict=True))
        for column, one in enumerate(self.encoding.hyperparameters, start=self.encoding.slots):
            params[one.name] = label(one.levels[code[column]])
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
