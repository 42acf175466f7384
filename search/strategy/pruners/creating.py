"""Pruners by name, for a run and for anyone's own Optuna study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from pkgutil import iter_modules

from optuna.pruners import BasePruner

import search.strategy.pruners
from fusion_ops.errors import ConfigError, SpecError
from reports.measures import MEASURES, quality_of
from search.strategy.pruners.registry import PRUNERS, Setting
from spaces import SearchSpace

__all__ = ["PRUNERS", "check_pruner", "create_pruner"]

for _module in iter_modules(search.strategy.pruners.__path__):
    if _module.name != "creating":
        import_module(f"search.strategy.pruners.{_module.name}")


def create_pruner(
    name: str,
    space: SearchSpace,
    objectives: Sequence[str] = ("accuracy", "params"),
    epochs: int = 8,
    seed: int = 0,
    *,
    constraints: Mapping[str, float] | None = None,
) -> BasePruner:
    """Return the pruner registered under `name`, for any Optuna study over `space`.

    With one objective the study's own `trial.report(value, step=epoch)` and `trial.should_prune()` serve as
    well as `search.report` and `search.should_prune`; with several objectives only the latter two work.

    Args:
        name: Registered name: `auto`, `pareto`, `none`; with one objective also `median`, `percentile`,
            `asha`, `hyperband`, `wilcoxon` and `patient`.
        space: The search space; it gives the exact costs.
        objectives: Names of the objectives, in the study's order; one of them is a quality.
        epochs: Epochs of a whole training.
        seed: Seed of the choice of stopped candidates that run on as an audit.
        constraints: Bounds by measure: at most on a cost or a loss, at least on any other quality.

    Raises:
        UnknownNameError: No such pruner, or an objective that is no measure.
        ConfigError: The pruner makes no sense with these objectives, or none of them is a quality.
        SpecError: `epochs` is not a whole number of at least 1.
    """
    names = tuple(objectives)
    check_pruner(name, names)
    if isinstance(epochs, bool) or not isinstance(epochs, int) or epochs < 1:
        raise SpecError(f"`epochs` must be a whole number of at least 1; got {epochs!r}.")
    for bounded in constraints or {}:
        _ = MEASURES[bounded]
    return PRUNERS[name].build(Setting(space, names, epochs, seed, dict(constraints or {})))


def check_pruner(name: str, objectives: Sequence[str]) -> None:
    """Check that a pruner makes sense with these objectives.

    Raises:
        UnknownNameError: No such pruner, or an objective that is no measure.
        ConfigError: The pruner needs one objective, or none of the objectives is a quality.
    """
    kind = PRUNERS[name]
    quality_of(objectives)
    if kind.one_value and len(objectives) > 1:
        raise ConfigError(
            f"`search.pruner: {name}` {kind.one_value}, but there are {len(objectives)} objectives "
            f"({', '.join(objectives)}); use `auto`, `pareto` or `none`, or one objective."
        )
