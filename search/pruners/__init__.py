"""When a training is stopped early, on one objective or several; one pruner a module.

Workers need the rungs alone, so Optuna is imported with the first other name.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from search.rungs import rungs

if TYPE_CHECKING:
    from search.pruners.creating import check_pruner, create_pruner
    from search.pruners.curve import Curve, Stop
    from search.pruners.pareto import ParetoPruner
    from search.pruners.registry import PRUNERS
    from search.pruners.reporting import report, should_prune, trial_curve

__all__ = [
    "PRUNERS",
    "Curve",
    "ParetoPruner",
    "Stop",
    "check_pruner",
    "create_pruner",
    "report",
    "rungs",
    "should_prune",
    "trial_curve",
]

_HOMES = {
    "PRUNERS": "search.pruners.creating",
    "Curve": "search.pruners.curve",
    "ParetoPruner": "search.pruners.pareto",
    "Stop": "search.pruners.curve",
    "check_pruner": "search.pruners.creating",
    "create_pruner": "search.pruners.creating",
    "report": "search.pruners.reporting",
    "should_prune": "search.pruners.reporting",
    "trial_curve": "search.pruners.reporting",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
