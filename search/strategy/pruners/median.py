"""`median`: stops what is worse than the median of the completed at the same epoch."""

from __future__ import annotations

from optuna.pruners import MedianPruner

from search.strategy.pruners.registry import PRUNERS, PrunerKind

__all__: list[str] = []

PRUNERS.register("median")(
    PrunerKind(lambda setting: MedianPruner(n_startup_trials=5), "stops by the median of one value")
)
