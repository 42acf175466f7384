"""When a training is stopped early: pruners by name, for a run and for any Optuna study."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import optuna
from optuna.pruners import (
    BasePruner,
    HyperbandPruner,
    MedianPruner,
    NopPruner,
    PatientPruner,
    PercentilePruner,
    SuccessiveHalvingPruner,
    WilcoxonPruner,
)

from fusion_ops.errors import ConfigError, SpecError
from fusion_ops.registry import Registry
from reports.measures import MEASURES, quality_of
from search.strategy.pruners.pareto import ParetoPruner
from search.strategy.pruners.reporting import report, should_prune
from search.strategy.pruners.rule import ParetoRule
from spaces import JointSpace, SearchSpace

__all__ = ["PRUNERS", "ParetoPruner", "check_pruner", "create_pruner", "report", "should_prune"]

STARTUP = 5
FACTOR = 3


@dataclass(frozen=True, slots=True)
class PrunerKind:
    """A pruner by name.

    Args:
        build: Returns the pruner, for a space, what makes the rule of `pareto`, and the epochs of a whole training.
        one_value: Why it makes no sense with several objectives, as the end of a sentence that starts with
            its name; empty where it does.
    """

    build: Callable[[SearchSpace | JointSpace, Callable[[], ParetoRule], int], BasePruner]
    one_value: str = ""


PRUNERS: Registry[PrunerKind] = Registry("pruner")
for _name, _kind in {
    "auto": PrunerKind(lambda space, rule, _: ParetoPruner(space, rule())),
    "pareto": PrunerKind(lambda space, rule, _: ParetoPruner(space, rule())),
    # Every training runs to its end.
    "none": PrunerKind(lambda *_: NopPruner()),
    # Stops what is worse than the median of the completed at the same epoch.
    "median": PrunerKind(lambda *_: MedianPruner(STARTUP), "stops by the median of one value"),
    # Keeps the better quarter of the completed at the same epoch.
    "percentile": PrunerKind(lambda *_: PercentilePruner(25.0, STARTUP), "stops by a percentile of one value"),
    # Asynchronous successive halving (Li et al., arXiv:1810.05934), which keeps the best third of a rung.
    "asha": PrunerKind(lambda *_: SuccessiveHalvingPruner(1, FACTOR), "promotes the best of a rung by one value"),
    # Successive halving in brackets that start at different epochs (Li et al., arXiv:1603.06560).
    "hyperband": PrunerKind(
        lambda _space, _rule, epochs: HyperbandPruner(1, epochs, FACTOR), "promotes the best of a bracket by one value"
    ),
    # Stops what a signed-rank test over the epochs calls worse than the best completed candidate.
    "wilcoxon": PrunerKind(lambda *_: WilcoxonPruner(p_threshold=0.1), "tests one value against the best candidate's"),
    # The median rule, for what has not improved since the report before.
    "patient": PrunerKind(
        lambda *_: PatientPruner(MedianPruner(STARTUP), patience=1), "waits until one value stops improving"
    ),
}.items():
    PRUNERS.register(_name)(_kind)


def create_pruner(
    name: str,
    space: SearchSpace | JointSpace,
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
    rule = partial(ParetoRule, names, epochs=epochs, seed=seed, constraints=constraints)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return PRUNERS[name].build(space, rule, epochs)


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
