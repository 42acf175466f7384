"""`hyperband`: successive halving in brackets that start at different epochs (Li et al., arXiv:1603.06560)."""

from __future__ import annotations

from optuna.pruners import HyperbandPruner

from search.strategy.pruners.registry import PRUNERS, PrunerKind

__all__: list[str] = []

FACTOR = 3

PRUNERS.register("hyperband")(
    PrunerKind(
        lambda setting: HyperbandPruner(min_resource=1, max_resource=setting.epochs, reduction_factor=FACTOR),
        "promotes the best of a bracket by one value",
    )
)
