"""Which objectives and constraints a search can have.

What is wrong with one is a `ConfigError` with its place in the config.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from fusion_ops.errors import ConfigError, RunError, UnknownNameError
from reports.measures import AT, INT8, MEASURES, PLACES, split_place
from reports.runtimes import RUNTIMES, Precision, Runtime, runtime_named
from search.config.document import Document, shown
from search.config.errors import unknown_key
from search.config.sections import SearchSettings
from search.training.measuring.int8 import int8_runtime
from search.training.measuring.latency import require_runtime
from search.training.settings import LatencyConfig
from search.training.tasks import TASKS, Task
from search.training.user_objectives import declare_objective

__all__ = [
    "check_constraints",
    "check_latency",
    "check_objectives",
    "check_search",
    "measured_in",
    "require_int8",
    "require_runtimes",
]

COSTS = tuple(name for name in MEASURES if MEASURES[name].exact)
MEASURED = ("latency", "memory")
LARGEST = 1e18
OWN_QUALITY = "`module:function`, f(outputs, labels)"


def check_objectives(objectives: Sequence[str], dataset: str, task: Task | None, document: Document) -> None:
    """Check that the objectives are known, fit the data set, as far as its task is known, and have a quality."""
    qualities = _qualities(task)
    for index, name in enumerate(objectives):
        with document.placing("objectives", index):
            base, place = split_place(name)
            if ":" in name and not place:
                declare_objective(name)
            elif base not in MEASURES:
                raise UnknownNameError("objective", name, (*qualities, *COSTS, *MEASURED, *_at_places(qualities)))
            elif place and base not in PLACES:
                raise ConfigError(f"`{base}` has no place; got objective `{name}`. Write `{base}`.")
            elif base not in (*qualities, *COSTS, *MEASURED):
                fitting = f"a {task} set; use {_or(qualities)}"
                if not qualities:
                    fitting = (
                        f"whose labels are floating-point; write `data.task: regression` where they are values to "
                        f"predict, or use a user-defined {OWN_QUALITY}"
                    )
                raise ConfigError(f"objective `{name}` does not fit `data.name: {dataset}`, {fitting}.")
            _ = MEASURES[name]
            if name in objectives[:index]:
                raise ConfigError(f"objective `{name}` is named twice; leave one out.")
    if not any(MEASURES[name].quality for name in objectives):
        rule = f"`objectives` must name at least one quality ({_or(qualities) or OWN_QUALITY})"
        late = [base for base, _ in map(split_place, objectives) if base in qualities]
        fix = f" `{late[0]}@{INT8}` is measured once, after training: write `{late[0]}` beside it." if late else ""
        raise document.error(("objectives",), f"{rule}; got {shown(objectives)}.{fix}")


def _or(names: Sequence[str]) -> str:
    return " or ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def _at_places(qualities: Sequence[str]) -> tuple[str, ...]:
    """Return the forms of the objectives that are measured at a place."""
    return *(f"{name}{AT}{INT8}" for name in qualities if name in PLACES), f"latency{AT}RUNTIME"


def _qualities(task: Task | None) -> tuple[str, ...]:
    """Return the qualities that can be measured on data of this task; of every task, where it is not known yet."""
    tasks = [TASKS[name] for name in TASKS] if task is None else [TASKS[task]]
    named = dict.fromkeys(quality for task in tasks for quality in task.qualities)
    return (*(name for name in named if name != "loss"), *(name for name in named if name == "loss"))


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


def check_latency(settings: LatencyConfig, objectives: Sequence[str], document: Document) -> None:
    """Check that every runtime in which latency is measured is known, can be run here, and has the precision."""
    with document.placing("latency", "runtime"):
        _ = runtime_named(settings.runtime)
    _check_timed_once(settings, objectives, document)
    for runtime in timed_runtimes(settings, objectives):
        with document.placing("latency", "precision"):
            if settings.precision not in runtime.precisions:
                known = ", ".join(p for p in get_args(Precision) if p in runtime.precisions)
                raise ConfigError(
                    f"`latency.precision` in {runtime.title} must be one of {known}; got {settings.precision}."
                )
        _check_batch_sizes(runtime, settings.batch_sizes, document)


def _check_timed_once(settings: LatencyConfig, objectives: Sequence[str], document: Document) -> None:
    """Check that no two objectives are the latency in one runtime, by a format's name or by `latency.runtime`."""
    known: dict[type[Runtime], str] = {}
    for index, name in enumerate(objectives):
        if MEASURES[name].base == "latency":
            runtime = runtime_named(settings.at(MEASURES[name].place).runtime)
            first = known.setdefault(type(runtime), name)
            if first != name:
                with document.placing("objectives", index):
                    raise ConfigError(f"`{first}` and `{name}` are both the latency in {runtime.title}; leave one out.")


def _check_batch_sizes(runtime: Runtime, sizes: Sequence[int], document: Document) -> None:
    largest = runtime.largest_batch
    if largest is None or max(sizes) <= largest:
        return
    key = "batch_sizes" if "batch_sizes" in (document.values.get("latency") or {}) else "batch_size"
    fitting = [size for size in sizes if size <= largest] or [largest]
    got, fix = (list(sizes), fitting) if key == "batch_sizes" else (sizes[0], largest)
    message = f"`latency.{key}` in {runtime.title} must be at most {largest}; got {got}. Write {fix}."
    raise document.error(("latency", key), message)


def require_runtimes(settings: LatencyConfig, objectives: Sequence[str]) -> None:
    """Check that the runtimes in which latency is measured are installed and can be run on this machine.

    Raises:
        ConfigError: One is not; the message has the command that installs it.
    """
    for runtime in timed_runtimes(settings, objectives):
        if not _can_be_run(runtime):
            able = [name for name in RUNTIMES if _can_be_run(RUNTIMES[name])]
            raise ConfigError(f"latency cannot be measured in {runtime.title} here; use one of {', '.join(able)}.")
        try:
            require_runtime(runtime, settings.precision)
        except RunError as error:
            raise ConfigError(f"latency cannot be measured: {error}") from None


def _can_be_run(runtime: Runtime) -> bool:
    """Return whether something here runs what a runtime converts: a runner, or what a subclass defines itself."""
    own = type(runtime)
    return runtime.runner is not None or own.ready is not Runtime.ready or own.load is not Runtime.load


def require_int8(settings: LatencyConfig, objectives: Sequence[str]) -> None:
    """Check that what quantizes candidates is installed, where an objective is a quality in int8.

    Raises:
        ConfigError: It is not; the message has the command that installs it.
    """
    named = [name for name in objectives if MEASURES[name].place == INT8]
    try:
        if named:
            int8_runtime(settings).require_int8()
    except RunError as error:
        raise ConfigError(f"`{named[0]}` cannot be measured: {error}") from None


def timed_runtimes(settings: LatencyConfig, objectives: Sequence[str]) -> list[Runtime]:
    """Return the runtimes in which the objectives ask for latency, each once."""
    measures = [MEASURES[name] for name in objectives]
    places = [measure.place for measure in measures if measure.base == "latency"]
    return [runtime_named(name) for name in dict.fromkeys(settings.at(place).runtime for place in places)]


def measured_in(settings: LatencyConfig, objectives: Sequence[str]) -> list[Runtime]:
    """Return the runtimes in which the objectives are measured, each once: for latency, then for int8."""
    eight = [int8_runtime(settings)] if any(MEASURES[name].place == INT8 for name in objectives) else []
    found = {type(runtime): runtime for runtime in (*timed_runtimes(settings, objectives), *eight)}
    return list(found.values())


def _is_positive(bound: Any) -> bool:
    return isinstance(bound, int | float) and not isinstance(bound, bool) and 0 < bound < LARGEST


def check_search(settings: SearchSettings, objectives: Sequence[str], epochs: int, document: Document) -> None:
    """Check that the pruner fits the objectives, and the search's baselines the epochs."""
    from search.strategy.pruners import check_pruner
    from search.strategy.samplers import WITH_PRIOR

    with document.placing("search", "pruner"):
        check_pruner(settings.pruner, objectives)
    if settings.prior is not None and settings.sampler not in WITH_PRIOR:
        problem = (
            f"`search.prior` is made use of by `{'`, `'.join(WITH_PRIOR)}`, not by `{settings.sampler}`; leave it out."
        )
        raise document.error(("search", "prior"), problem)
    if settings.min_epochs > epochs:
        problem = f"`search.min_epochs` is at most the epochs of a candidate, {epochs}; got {settings.min_epochs}."
        raise document.error(("search", "min_epochs"), problem)
    if settings.one_epoch_baseline and epochs < 2:
        problem = "`search.one_epoch_baseline` needs candidates of at least 2 epochs; got 1."
        raise document.error(("search", "one_epoch_baseline"), problem)
