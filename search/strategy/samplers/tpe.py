"""`tpe`: Optuna's tree-structured Parzen estimator, always multivariate and grouped."""

from __future__ import annotations

import warnings

import optuna

from search.strategy.samplers.guarded import GuardedSampler
from search.strategy.samplers.registry import SAMPLERS, Problem

__all__: list[str] = []


@SAMPLERS.register("tpe")
def _tpe(problem: Problem) -> GuardedSampler:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        inner = optuna.samplers.TPESampler(multivariate=True, group=True, constant_liar=True, seed=problem.seed)
    return GuardedSampler(problem, inner)
