"""Intermediate values of a trial in an Optuna study of one objective or several.

Optuna's `Trial.report` and `Trial.should_prune` raise on several objectives, and intermediate values written
past them break its samplers. There the learning curve is kept in the trial's attributes instead.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import optuna
from optuna.pruners import NopPruner
from optuna.trial import FixedTrial, FrozenTrial

from fusion_ops.errors import SpecError
from reports.measures import MEASURES
from search.strategy.pruners.curve import Curve
from spaces import SearchSpace

__all__ = ["AUDIT", "NO_ARCHITECTURE", "report", "should_prune", "trial_curve"]

CURVE, AUDIT = "curve:", "audit"
NO_ARCHITECTURE = (
    "the trial has no architecture of the pruner's space; call `space.suggest(trial)` with that space "
    "before the first `report`."
)


def report(trial: optuna.Trial, epoch: int, **measures: float) -> None:
    """Report what a training measured after an epoch.

    Args:
        trial: The trial in training.
        epoch: The epoch, from 1.
        measures: Validation measures by name: each objective that is a quality, and any further measure. On a
            study of one objective exactly that one.

    Raises:
        SpecError: The epoch is not a whole number of at least 1, a measure is missing, unknown or not finite.
    """
    if isinstance(epoch, bool) or not isinstance(epoch, int) or epoch < 1:
        raise SpecError(f"`epoch` must be a whole number of at least 1; got {epoch!r}.")
    values = {name: _finite(name, value) for name, value in measures.items()}
    wanted = getattr(trial.study.pruner, "qualities", ())
    missing = [name for name in wanted if name not in values]
    if missing or not values:
        raise SpecError(f"`report` needs {', '.join(missing) or 'a measure'}; got {', '.join(values) or 'none'}.")
    if len(trial.study.directions) > 1:
        trial.set_user_attr(f"{CURVE}{epoch}", values)
    elif wanted:
        trial.report(values[wanted[0]], step=epoch)
    elif len(values) > 1:
        raise SpecError(
            f"`report` on a study of one objective takes that one alone; got {', '.join(values)}. "
            "Leave out what is not the objective."
        )
    else:
        trial.report(next(iter(values.values())), step=epoch)


def should_prune(trial: optuna.Trial) -> bool:
    """Return whether to stop the training after the epoch that was reported last.

    Raises:
        SpecError: The study has several objectives and a pruner that compares one value.
    """
    study = trial.study
    if len(study.directions) == 1:
        return trial.should_prune()
    pruner = study.pruner
    if isinstance(pruner, NopPruner):
        return False
    if not hasattr(pruner, "qualities"):
        raise SpecError(
            f"{type(pruner).__name__} compares one value, but the study has {len(study.directions)} objectives; "
            'use `search.create_pruner("auto", …)`.'
        )
    return bool(pruner.prune(study, study._storage.get_trial(trial._trial_id)))


def trial_curve(trial: FrozenTrial, objectives: Sequence[str], space: SearchSpace | None) -> Curve:
    """Return what a study knows of a trial: its curve as it was reported, its exact costs, its final qualities.

    Args:
        trial: The trial.
        objectives: Names of the objectives, in the study's order.
        space: The search space, for the exact costs of a trial in training.

    Raises:
        SpecError: The trial is in training and has no architecture of the space.
    """
    qualities = [name for name in objectives if MEASURES[name].quality]
    told = dict(zip(objectives, trial.values, strict=True)) if trial.values is not None else {}
    final = tuple(-MEASURES[name].sign * told[name] for name in qualities) if told else ()
    costs = [name for name in objectives if not MEASURES[name].quality]
    known = told if told else _costs(trial, costs, space)
    return Curve(
        trial.number, _quality(trial, qualities), tuple(float(known.get(name, math.nan)) for name in costs), final
    )


def _quality(trial: FrozenTrial, names: Sequence[str]) -> dict[int, tuple[float, ...]]:
    if trial.intermediate_values:
        sign = -MEASURES[names[0]].sign
        return {step: (sign * value,) for step, value in trial.intermediate_values.items()}
    return {
        int(key.removeprefix(CURVE)): tuple(-MEASURES[name].sign * values[name] for name in names)
        for key, values in trial.user_attrs.items()
        if key.startswith(CURVE)
    }


def _costs(trial: FrozenTrial, names: Sequence[str], space: SearchSpace | None) -> dict[str, float]:
    measured: dict[str, float] = {}
    for key, values in trial.user_attrs.items():
        if key.startswith(CURVE):
            measured |= {name: values[name] for name in names if name in values}
    exact = [name for name in names if MEASURES[name].exact]
    if not exact or space is None:
        return measured
    return measured | _exact(space, tuple(sorted(trial.params.items())))


@lru_cache(maxsize=4096)
def _exact(space: SearchSpace, params: tuple[tuple[str, Any], ...]) -> dict[str, float]:
    try:
        architecture = space.suggest(FixedTrial(dict(params)))
    except ValueError:
        raise SpecError(NO_ARCHITECTURE) from None
    cost = space.cost(architecture)
    return {"params": float(cost.params), "flops": float(cost.flops)}


def _finite(name: str, value: Any) -> float:
    if name not in MEASURES:
        raise SpecError(f"`{name}` is no measure; known: {', '.join(MEASURES)}.")
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise SpecError(f"`{name}` must be a finite number; got {value!r}. Tell a diverged trial as failed.")
    return number
