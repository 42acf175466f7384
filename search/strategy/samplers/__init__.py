"""Who proposes the next architecture: Optuna samplers by name.

Every module of this package is imported here, so adding a sampler is adding a file, or a line to the table of
Optuna's own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from pkgutil import iter_modules

from optuna.samplers import BaseSampler

from fusion_ops.errors import ConfigError, SpecError
from reports.measures import MEASURES
from search.strategy.samplers.proposing import SAMPLERS, Problem
from search.strategy.surrogate.transfer import Experience
from spaces import JointSpace, SearchSpace

__all__ = ["SAMPLERS", "WITH_PRIOR", "create_sampler"]

WITH_PRIOR = ("auto",)

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")


def create_sampler(
    name: str,
    space: SearchSpace | JointSpace,
    objectives: Sequence[str] = ("accuracy", "params"),
    seed: int = 0,
    *,
    constraints: Mapping[str, float] | None = None,
    prior: Experience | None = None,
) -> BaseSampler:
    """Return the sampler registered under `name`, for any Optuna study over `space`.

    Architectures are proposed when a trial is asked for: `architecture = space.suggest(study.ask())`. What was
    proposed before is not proposed again while there is anything else.

    Args:
        name: Registered name: `auto`, `random`, `evolution`, `local`, `tpe`, `nsga2` or `gp`.
        space: The search space, with hyperparameters or without.
        objectives: Names of the objectives, in the study's order: a measure, or `module:function`.
        seed: Seed of its draws, at least 0.
        constraints: Bounds by measure: at most on a cost or a loss, at least on any other quality. No
            architecture is proposed that breaks one on an exact cost.
        prior: What another run has learnt, `search.experience(run_dir)`; `auto` tries the best of it, once seven of
            its own proposals are complete.

    Raises:
        UnknownNameError: No such sampler, or an objective or a constraint that is no measure.
        ConfigError: Every objective is an exact cost, or one is named twice; or a prior is for another sampler.
        SpecError: The seed is not a whole number of at least 0.
        Infeasible: No architecture meets the constraints.
    """
    names = tuple(objectives)
    factory = SAMPLERS[name]
    if len(set(names)) < len(names):
        raise ConfigError(f"every objective is named once; got {list(names)}.")
    for measure in (*names, *(constraints or {})):
        if ":" not in measure:
            _ = MEASURES[measure]
    if all(measure in MEASURES and MEASURES[measure].exact for measure in names):
        raise ConfigError(f"`objectives` needs one that only training shows, such as accuracy; got {list(names)}.")
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise SpecError(f"`seed` must be a whole number of at least 0; got {seed!r}.")
    if prior is not None and name not in WITH_PRIOR:
        raise ConfigError(f"`prior` is made use of by `auto`, not by `{name}`; leave it out, or search with `auto`.")
    return factory(Problem(space, names, seed, dict(constraints or {}), prior))
