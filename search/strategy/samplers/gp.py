"""`gp`: Optuna's Gaussian process, on a study in which every slot is one parameter."""

from __future__ import annotations

import warnings

import numpy as np
import optuna
from optuna.distributions import CategoricalDistribution
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from search.strategy.proposals.encoding import Code
from search.strategy.proposals.proposing import ProposingSampler
from search.strategy.samplers.registry import SAMPLERS, Problem

__all__ = ["GaussianProcessSampler"]


@SAMPLERS.register("gp")
class GaussianProcessSampler(ProposingSampler):
    """Optuna's `GPSampler`, made to see conditional ratios.

    `GPSampler` models only parameters that every trial has, so it would draw all ratios at random. It is
    therefore given a study of its own, in memory, in which each slot is one categorical parameter with every
    operator and ratio, and which repeats the completed candidates of the real study. Candidates in training
    are repeated as running. It needs time that grows with the cube of the candidates: for a few hundred.

    Args:
        problem: The space, the objectives, the seed and the constraints.
    """

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self._flat = {
            f"slot{s}": CategoricalDistribution(tuple(range(size)))
            for s, size in enumerate(self.encoding.sizes.tolist())
        }
        self._mirror: optuna.Study | None = None
        self._running: dict[int, optuna.Trial] = {}
        self._repeated = 0

    def propose(self, study: Study, trial: FrozenTrial, rng: np.random.Generator) -> Code:
        """Return what `GPSampler` proposes on the study that it is given."""
        draft = self._repeat(study).ask(dict(self._flat))
        self._running[trial.number] = draft
        return np.array([draft.params[name] for name in self._flat])

    def _repeat(self, study: Study) -> optuna.Study:
        """Return a study of flat parameters with what is completed or in training in the real one."""
        mirror = _quiet_study(len(study.directions), self.problem.seed) if self._mirror is None else self._mirror
        self._mirror = mirror
        for seen in self.observations.ended[self._repeated :]:
            draft = self._running.pop(seen.number, None)
            if draft is not None:
                mirror.tell(draft, state=TrialState.FAIL)
            if seen.values is not None:
                mirror.add_trial(self._trial(seen.code, values=seen.values.tolist()))
        self._repeated = len(self.observations.ended)
        return mirror

    def _trial(self, code: Code, values: list[float]) -> FrozenTrial:
        params = dict(zip(self._flat, code.tolist(), strict=True))
        return optuna.trial.create_trial(params=params, distributions=dict(self._flat), values=values)


def _quiet_study(objectives: int, seed: int) -> optuna.Study:
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            sampler = optuna.samplers.GPSampler(seed=seed)
        return optuna.create_study(directions=["minimize"] * objectives, sampler=sampler)
    finally:
        optuna.logging.set_verbosity(verbosity)
