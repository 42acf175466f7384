"""Search jobs: config, data, training, Optuna, Ray, command line.

Names are imported when they are first used, so that the command line starts at once.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__all__ = [
    "Run",
    "SearchConfig",
    "create_pruner",
    "create_sampler",
    "launch",
    "measure_operators",
    "report",
    "resume",
    "should_prune",
]

if TYPE_CHECKING:
    from search.config import SearchConfig
    from search.jobs import launch, resume
    from search.measuring.operators import measure_operators
    from search.pruners.creating import create_pruner
    from search.pruners.reporting import report, should_prune
    from search.run import Run
    from search.samplers import create_sampler
else:
    # Unseen by type checkers, which would take any name for one of the package.
    _HOMES = {
        "Run": "search.run",
        "SearchConfig": "search.config",
        "create_pruner": "search.pruners.creating",
        "create_sampler": "search.samplers",
        "launch": "search.jobs",
        "measure_operators": "search.measuring.operators",
        "report": "search.pruners.reporting",
        "resume": "search.jobs",
        "should_prune": "search.pruners.reporting",
    }

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(_HOMES[name]), name)
