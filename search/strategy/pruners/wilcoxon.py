"""`wilcoxon`: stops what a signed-rank test over the epochs calls worse than the best completed candidate."""

from __future__ import annotations

import warnings

import optuna
from optuna.pruners import BasePruner, WilcoxonPruner

from search.strategy.pruners.registry import PRUNERS, PrunerKind, Setting

__all__: list[str] = []


def _build(setting: Setting) -> BasePruner:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return WilcoxonPruner(p_threshold=0.1)


PRUNERS.register("wilcoxon")(PrunerKind(_build, "tests one value against the best candidate's"))
