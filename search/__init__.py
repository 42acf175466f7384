"""Search jobs: config, data, training, Optuna, Ray, command line.

Names are imported when they are first used, so that the command line starts at once.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__all__ = [
    "Run",
    "SearchConfig",
    "attention",
    "create_pruner",
    "create_sampler",
    "experience",
    "launch",
    "measure_operators",
    "report",
    "resume",
    "should_prune",
]

if TYPE_CHECKING:
    from search.config import SearchConfig
    from search.run.attention import attention
    from search.run.jobs import launch, resume
    from search.run.run import Run
    from search.strategy.pruners import create_pruner, report, should_prune
    from search.strategy.samplers import create_sampler
    from search.study.experience import experience
    from search.study.operator_latency import measure_operators
else:
    # Unseen by type checkers, which would take any name for one of the package.
    _HOMES = {
        "Run": "search.run.run",
        "SearchConfig": "search.config",
        "attention": "search.run.attention",
        "create_pruner": "search.strategy.pruners",
        "create_sampler": "search.strategy.samplers",
        "experience": "search.study.experience",
        "launch": "search.run.jobs",
        "measure_operators": "search.study.operator_latency",
        "report": "search.strategy.pruners",
        "resume": "search.run.jobs",
        "should_prune": "search.strategy.pruners",
    }

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(_HOMES[name]), name)
