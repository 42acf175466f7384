"""When a training is stopped early, on one objective or several; one pruner a module.

Names are imported when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from search.strategy.pruners.creating import check_pruner, create_pruner
    from search.strategy.pruners.curve import Curve, Stop
    from search.strategy.pruners.pareto import ParetoPruner
    from search.strategy.pruners.registry import PRUNERS
    from search.strategy.pruners.reporting import report, should_prune, trial_curve

__all__ = [
    "PRUNERS",
    "Curve",
    "ParetoPruner",
    "Stop",
    "check_pruner",
    "create_pruner",
    "report",
    "should_prune",
    "trial_curve",
]

_HOMES = {
    "PRUNERS": "search.strategy.pruners.creating",
    "Curve": "search.strategy.pruners.curve",
    "ParetoPruner": "search.strategy.pruners.pareto",
    "Stop": "search.strategy.pruners.curve",
    "check_pruner": "search.strategy.pruners.creating",
    "create_pruner": "search.strategy.pruners.creating",
    "report": "search.strategy.pruners.reporting",
    "should_prune": "search.strategy.pruners.reporting",
    "trial_curve": "search.strategy.pruners.reporting",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
