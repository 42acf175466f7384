"""Which objectives and constraints a search can have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fusion_ops.errors import ConfigError, SpecError, UnknownNameError
from reports.measures import MEASURES
from search.config.document import Document, shown, visible
from search.config.errors import explained, unknown_key
from search.training.data.dataset import Task
from search.training.user_objectives import declare_objective

if TYPE_CHECKING:
    from search.config.sections import SearchSettings

__all__ = ["check_constraints", "check_objectives", "check_search"]

QUALITIES = {"classification": ("accuracy", "loss"), "segmentation": ("miou", "loss")}
COSTS = tuple(name for name in MEASURES if MEASURES[name].exact)
MEASURED = ("latency", "memory")
LARGEST = 1e18


def check_objectives(objectives: Sequence[str], dataset: str, task: Task | None, document: Document) -> None:
    """Check the names of the objectives, and that they fit the data set.

    Args:
        objectives: Their names, in the study's order.
        dataset: Name of the data set.
        task: What is learned on it; `None` where that is not known yet.
        document: Where they were read from.

    Raises:
        ConfigError: An objective is unknown, not available or given twice, it does not fit the data set, or
            none of them is a quality.
    """
    tasks = QUALITIES if task is None else {task: QUALITIES[task]}
    qualities = tuple(dict.fromkeys(name for names in tasks.values() for name in names))
    for index, name in enumerate(objectives):
        available = (*qualities, *COSTS, *MEASURED)
        problem = _problem(name, objectives[:index], available)
        if problem is None and ":" not in name and name not in available:
            problem = (
                f"objective `{name}` does not fit `data.name: {dataset}`, a {task} set; use {' or '.join(qualities)}."
            )
        if problem is not None:
            raise explained(document, ("objectives", index), problem)
    if not any(MEASURES[name].quality for name in objectives):
        raise explained(
            document,
            ("objectives",),
            f"`objectives` must name at least one quality ({' or '.join(qualities)}); got {shown(objectives)}.",
        )


def _problem(name: str, before: Sequence[str], available: Sequence[str]) -> str | None:
    if ":" in name:
        try:
            declare_objective(name)
        except SpecError as error:
            return f"objective {visible(str(error), 400)}"
    elif name not in MEASURES:
        return str(UnknownNameError("objective", name, available))
    if name in before:
        return f"objective `{name}` is named twice; leave one out."
    return None


def check_constraints(
    constraints: Mapping[Any, Any], objectives: Sequence[str], task: Task | None, document: Document
) -> None:
    """Check that every constraint bounds something that is known of each candidate.

    Exact costs are known before training; a quality of the task, and every objective, after it.

    Args:
        constraints: Bounds by measure.
        objectives: Names of the objectives.
        task: What is learned; `None` where that is not known yet.
        document: Where they were read from.

    Raises:
        ConfigError: A constraint is on something else, or its bound is not a positive number, or one of a
            quality between 0 and 1 is not below 1.
    """
    tasks = QUALITIES if task is None else {task: QUALITIES[task]}
    known = tuple(dict.fromkeys([*COSTS, *(name for names in tasks.values() for name in names), *objectives]))
    for name, bound in constraints.items():
        path = ("constraints", name)
        if name in MEASURES and name not in known:
            problem = f"a constraint on `{name}` is not available here; use {', '.join(known)}."
            raise explained(document, path, problem)
        if name not in known:
            raise explained(document, path, unknown_key(path, known))
        received = shown(bound, document.written.get(path))
        if not _is_positive(bound):
            raise explained(document, path, f"`constraints.{name}` must be a positive number; got {received}.")
        if MEASURES[name].style == "percent" and bound >= 1:
            message = f"`constraints.{name}` is a fraction, below 1; got {received}. Write {bound / 100:g}."
            fits = f"`constraints.{name}` is a fraction, below 1; got {received}."
            raise explained(document, path, message if 1 < bound < 100 else fits)


def check_search(settings: SearchSettings, objectives: Sequence[str], epochs: int, document: Document) -> None:
    """Check that the pruner makes sense with the objectives, and the search's baselines with the epochs.

    Raises:
        ConfigError: One does not.
    """
    from search.strategy.pruners import check_pruner

    try:
        check_pruner(settings.pruner, objectives)
    except ConfigError as error:
        raise explained(document, ("search", "pruner"), str(error)) from None
    if settings.one_epoch_baseline and epochs < 2:
        problem = "`search.one_epoch_baseline` needs `train.epochs` of at least 2; got 1."
        raise explained(document, ("search", "one_epoch_baseline"), problem)


def _is_positive(bound: Any) -> bool:
    return isinstance(bound, int | float) and not isinstance(bound, bool) and 0 < bound < LARGEST
