"""`patient`: the median rule, for candidates that have not improved for some reports."""

from __future__ import annotations

import warnings

import optuna
from optuna.pruners import BasePruner, MedianPruner, PatientPruner

from search.strategy.pruners.registry import PRUNERS, PrunerKind, Setting

__all__: list[str] = []

PATIENCE = 1


def _build(setting: Setting) -> BasePruner:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return PatientPruner(MedianPruner(n_startup_trials=5), patience=PATIENCE)


PRUNERS.register("patient")(PrunerKind(_build, "waits until one value stops improving"))
