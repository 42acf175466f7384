"""`search.report` and `search.should_prune`, which work in Optuna studies of one objective and of several."""

from __future__ import annotations

import math
from typing import Any

import optuna
from optuna.pruners import NopPruner

from fusion_ops.errors import SpecError
from reports.measures import MEASURES
from search.strategy import trials

__all__ = ["report", "should_prune"]


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
    if len(trial.study.directions) == 1 and not wanted and len(values) > 1:
        raise SpecError(
            f"`report` on a study of one objective takes that one alone; got {', '.join(values)}. "
            "Leave out what is not the objective."
        )
    trials.report(trial, epoch, values, objective=next(iter((*wanted, *values))))


def should_prune(trial: optuna.Trial) -> bool:
    """Return whether to stop the training after the epoch that was reported last.

    Raises:
        SpecError: The study has several objectives and a pruner that compares one value.
    """
    study, pruner = trial.study, trial.study.pruner
    compares_one = not hasattr(pruner, "qualities") and not isinstance(pruner, NopPruner)
    if compares_one and len(study.directions) > 1:
        raise SpecError(
            f"{type(pruner).__name__} compares one value, but the study has {len(study.directions)} objectives; "
            'use `search.create_pruner("auto", …)`.'
        )
    return bool(pruner.prune(study, trials.latest(trial)))


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
