"""`none`: every training runs to its end."""

from __future__ import annotations

from optuna.pruners import NopPruner

from search.strategy.pruners.registry import PRUNERS, PrunerKind

__all__: list[str] = []

PRUNERS.register("none")(PrunerKind(lambda setting: NopPruner()))
