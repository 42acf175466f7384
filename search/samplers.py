"""Who proposes the next architecture: Optuna samplers by name."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial

from fusion_ops.errors import SpecError
from fusion_ops.registry import Registry
from spaces import SearchSpace

__all__ = ["SAMPLERS", "UniformSampler", "create_sampler"]

Factory = Callable[[SearchSpace, Sequence[str], int], BaseSampler]
SAMPLERS: Registry[Factory] = Registry("sampler")


class UniformSampler(BaseSampler):
    """Draws every choice uniformly, from a generator keyed by the seed, the trial and the choice.

    A trial's draw depends on nothing that happened before it, so a continued study proposes what an
    uninterrupted one would have proposed.

    Args:
        seed: Seed of all draws.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Return nothing: every parameter is drawn by itself."""
        return {}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: Mapping[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return nothing: every parameter is drawn by itself."""
        return {}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Return one of the parameter's choices.

        Raises:
            SpecError: The parameter is not categorical.
        """
        if not isinstance(param_distribution, CategoricalDistribution):
            raise SpecError(f"`{param_name}` must be categorical; got {param_distribution}.")
        rng = np.random.default_rng([self._seed, trial.number, *param_name.encode()])
        return param_distribution.choices[rng.integers(len(param_distribution.choices))]


@SAMPLERS.register("auto")
def _auto(space: SearchSpace, objectives: Sequence[str], seed: int) -> BaseSampler:
    return _tpe(space, objectives, seed)


@SAMPLERS.register("random")
def _random(space: SearchSpace, objectives: Sequence[str], seed: int) -> BaseSampler:
    return UniformSampler(seed)


@SAMPLERS.register("tpe")
def _tpe(space: SearchSpace, objectives: Sequence[str], seed: int) -> BaseSampler:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.samplers.TPESampler(multivariate=True, group=True, constant_liar=True, seed=seed)


@SAMPLERS.register("nsga2")
def _nsga2(space: SearchSpace, objectives: Sequence[str], seed: int) -> BaseSampler:
    return optuna.samplers.NSGAIISampler(population_size=20, seed=seed)


def create_sampler(
    name: str,
    space: SearchSpace,
    *,
    objectives: Sequence[str],
    seed: int = 0,
    constraints: Mapping[str, float] | None = None,
) -> BaseSampler:
    """Return the sampler registered under `name`, for any Optuna study over `space`.

    Args:
        name: Registered name: `auto`, `random`, `tpe` or `nsga2`.
        space: The search space.
        objectives: Names of the objectives, in the study's order.
        seed: Seed of its draws.
        constraints: Bounds by measure; these samplers read what the study knows of them.

    Raises:
        UnknownNameError: No such sampler.
    """
    return SAMPLERS[name](space, tuple(objectives), seed)
