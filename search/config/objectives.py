"""Which objectives and constraints a search can have.

What is wrong with one is a `ConfigError` with its place in the config.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fusion_ops.errors import ConfigError, UnknownNameError
from reports.measures import MEASURES
from search.config.document import Document, shown
from search.config.errors import unknown_key
from search.config.sections import SearchSettings
from search.training.data.dataset import Task
from search.training.tasks import TASKS
from search.training.user_objectives import declare_objective

__all__ = ["check_constraints", "check_objectives", "check_search"]

COSTS = tuple(name for name in MEASURES if MEASURES[name].exact)
MEASURED = ("latency", "memory")
LARGEST = 1e18
OWN_QUALITY = "`module:function`, f(outputs, labels)"


def check_objectives(objectives: Sequence[str], dataset: str, task: Task | None, document: Document) -> None:
    """Check that the objectives are known, fit the data set, as far as its task is known, and have a quality."""
    qualities = _qualities(task)
    for index, name in enumerate(objectives):
        with document.placing("objectives", index):
            if ":" in name:
                declare_objective(name)
            elif name not in MEASURES:
                raise UnknownNameError("objective", name, (*qualities, *COSTS, *MEASURED))
            elif name not in (*qualities, *COSTS, *MEASURED):
                fitting = f"a {task} set; use {' or '.join(qualities)}"
                if not qualities:
                    fitting = f"whose labels are floating-point; use a user-defined {OWN_QUALITY}"
                raise ConfigError(f"objective `{name}` does not fit `data.name: {dataset}`, {fitting}.")
            if name in objectives[:index]:
                raise ConfigError(f"objective `{name}` is named twice; leave one out.")
    if not any(MEASURES[name].quality for name in objectives):
        rule = f"`objectives` must name at least one quality ({' or '.join(qualities) or OWN_QUALITY})"
        raise document.error(("objectives",), f"{rule}; got {shown(objectives)}.")


def _qualities(task: Task | None) -> tuple[str, ...]:
    """Return the qualities that can be measured on data of this task; of every task, where it is not known yet."""
    tasks = [TASKS[name] for name in TASKS] if task is None else [TASKS[task]]
    named = tuple(task.quality for task in tasks if task.quality)
    return (*named, "loss") if named else ()


def check_constraints(
    constraints: Mapping[Any, Any], objectives: Sequence[str], task: Task | None, document: Document
) -> None:
    """Check that every constraint is a possible bound on something that is known of each candidate.

    Exact costs are known before training; a quality of the task, and every objective, after it.
    """
    known = tuple(dict.fromkeys([*COSTS, *_qualities(task), *objectives]))
    for name, bound in constraints.items():
        path = ("constraints", name)
        received = shown(bound, document.written.get(path))
        with document.placing(*path):
            if name not in known and name in MEASURES:
                raise ConfigError(f"a constraint on `{name}` is not available here; use {', '.join(known)}.")
            if name not in known:
                raise ConfigError(unknown_key(path, known))
            if not _is_positive(bound):
                raise ConfigError(f"`constraints.{name}` must be a positive number; got {received}.")
            if MEASURES[name].style == "percent" and bound >= 1:
                fix = f" Write {bound / 100:g}." if 1 < bound < 100 else ""
                raise ConfigError(f"`constraints.{name}` is a fraction, below 1; got {received}.{fix}")


def _is_positive(bound: Any) -> bool:
    return isinstance(bound, int | float) and not isinstance(bound, bool) and 0 < bound < LARGEST


def check_search(settings: SearchSettings, objectives: Sequence[str], epochs: int, document: Document) -> None:
    """Check that the pruner fits the objectives, and the search's baselines the epochs."""
    from search.strategy.pruners import check_pruner

    with document.placing("search", "pruner"):
        check_pruner(settings.pruner, objectives)
    if settings.one_epoch_baseline and epochs < 2:
        problem = "`search.one_epoch_baseline` needs `train.epochs` of at least 2; got 1."
        raise document.error(("search", "one_epoch_baseline"), problem)
