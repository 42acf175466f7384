"""`asha`: asynchronous successive halving (Li et al., arXiv:1810.05934), which keeps the best third of a rung."""

from __future__ import annotations

from optuna.pruners import SuccessiveHalvingPruner

from search.strategy.pruners.registry import PRUNERS, PrunerKind

__all__: list[str] = []

FACTOR = 3

PRUNERS.register("asha")(
    PrunerKind(
        lambda setting: SuccessiveHalvingPruner(min_resource=1, reduction_factor=FACTOR),
        "promotes the best of a rung by one value",
    )
)
