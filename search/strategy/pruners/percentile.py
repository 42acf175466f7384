"""`percentile`: keeps the better quarter of the completed at the same epoch."""

from __future__ import annotations

from optuna.pruners import PercentilePruner

from search.strategy.pruners.registry import PRUNERS, PrunerKind

__all__: list[str] = []

KEPT = 25.0

PRUNERS.register("percentile")(
    PrunerKind(lambda setting: PercentilePruner(KEPT, n_startup_trials=5), "stops by a percentile of one value")
)
