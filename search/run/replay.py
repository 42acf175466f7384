"""What other pruners would have saved of a run, and wrongly stopped, from the curves that it has."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from fusion_ops.errors import ConfigError, SpecError
from reports.run.run import CONFIG, RunRecord, load_run
from search.run.replay_counts import Counts, Own, Truth, count, own, truth_of
from search.run.replay_source import Source, source_of
from search.strategy.pruners import PRUNERS, check_pruner, create_pruner
from search.strategy.samplers import SAMPLERS
from search.study.replay import Replayed, replayed

__all__ = ["Replay", "Replays", "refuse_sampler", "replay"]

SEEDS = 5


@dataclass(frozen=True, slots=True)
class Replay:
    """A run under another pruner.

    Args:
        pruner: Its name.
        counts: What it saves and loses with the candidates in the run's order.
        shuffled: The same with them in other orders.
    """

    pruner: str
    counts: Counts
    shuffled: tuple[Counts, ...]

    def spread(self, figure: str) -> tuple[float, float] | None:
        """Return the least and the most of a figure of `Counts` over all orders; `None` where it has none."""
        values = [getattr(counts, figure) for counts in (self.counts, *self.shuffled)]
        known = [value for value in values if value is not None]
        return (min(known), max(known)) if known else None


@dataclass(frozen=True, slots=True)
class Replays:
    """A run under several pruners, and as it was.

    Args:
        run: Name of the run.
        candidates: Its candidates that were trained, second looks counted with what they look at.
        known: Those of them whose end is known.
        workers: How many trained at once.
        min_epochs: Before how many epochs the others would have stopped nothing.
        own: What the run's own pruner did.
        replays: What others would have done.
    """

    run: str
    candidates: int
    known: int
    workers: int
    min_epochs: int
    own: Own
    replays: tuple[Replay, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return all of it, JSON-ready."""
        return asdict(self)


def replay(
    run_dir: str | Path, pruners: Sequence[str] | None = None, *, seeds: int = SEEDS, min_epochs: int | None = None
) -> Replays:
    """Return what other pruners would have saved of a run, and wrongly stopped.

    The candidates are those of the run, in its order, with as many workers; a pruner that had stopped others would have
    led the sampler elsewhere. Nothing is written.

    Args:
        run_dir: The run directory.
        pruners: Names of pruners; by default all that make sense for the run's objectives.
        seeds: In how many other orders the candidates are gone through, too.
        min_epochs: Before how many epochs nothing is stopped; by default as in the run.

    Raises:
        UnknownNameError: No such pruner.
        ConfigError: A pruner makes no sense with the run's objectives.
        SpecError: `seeds` is not a whole number of at least 0, `min_epochs` none from 1 to the run's epochs, or
            `pruners` no names.
        RunError: There is no run, or none of its candidates was trained to its end.
    """
    _require_whole("seeds", seeds, 0)
    _require_whole("min_epochs", 1 if min_epochs is None else min_epochs, 1)
    record = load_run(run_dir)
    names = _checked(pruners, record)
    source = source_of(record)
    if min_epochs is not None:
        if min_epochs > source.epochs:
            raise SpecError(f"`min_epochs` is at most the run's `train.epochs`, {source.epochs}; got {min_epochs}.")
        source = replace(source, min_epochs=min_epochs)
    truth = truth_of(source, record)
    return Replays(
        run=record.name,
        candidates=len(source.trainings),
        known=sum(training.ending == "complete" for training in source.trainings),
        workers=source.workers,
        min_epochs=source.min_epochs,
        own=own(record, source),
        replays=tuple(_replay(name, record, source, truth, seeds) for name in names),
    )


def refuse_sampler(run_dir: str | Path, sampler: str) -> None:
    """Say why a sampler cannot be replayed, and what to do instead.

    Raises:
        UnknownNameError: No such sampler.
        ConfigError: Any other time.
    """
    _ = SAMPLERS[sampler]
    record = load_run(run_dir)
    source = source_of(record)
    known, there = len(source.trainings), source.space.size()
    config = shlex.quote(str(record.path / CONFIG))
    raise ConfigError(
        f"a sampler cannot be replayed: {record.name} knows {known:,} of the {there:,} architectures of its space, "
        f"those that its own sampler chose, and nothing of any other that `{sampler}` would propose. Search once more "
        f"with it: `fusion-nas launch {config} --set search.sampler={sampler} --run-dir DIR`."
    )


def _require_whole(name: str, value: Any, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise SpecError(f"`{name}` must be a whole number of at least {least}; got {value!r}.")


def _checked(pruners: Sequence[str] | None, record: RunRecord) -> tuple[str, ...]:
    if pruners is None:
        several = len(record.objectives) > 1
        return tuple(name for name in PRUNERS if name != "pareto" and not (several and PRUNERS[name].one_value))
    if not isinstance(pruners, Sequence) or not all(isinstance(name, str) for name in pruners):
        raise SpecError(f"`pruners` is the name of a pruner, or a list of names; got {pruners!r}.")
    if not pruners:
        raise SpecError(f"`pruners` names at least one pruner; got {pruners!r}. Leave it out for all that make sense.")
    if not all(pruners):
        raise SpecError(f"every pruner has a name; got {', '.join(map(repr, pruners))}. Leave out what is empty.")
    for name in pruners:
        check_pruner(name, record.objectives)
    return tuple(dict.fromkeys(pruners))


def _replay(name: str, record: RunRecord, source: Source, truth: Truth, seeds: int) -> Replay:
    orders = [np.arange(len(source.trainings))]
    orders += [np.random.default_rng(seed).permutation(len(source.trainings)) for seed in range(seeds)]
    stops = name != "none"
    found = [count(_in_order(name, record, source, order), source, truth, stops=stops) for order in orders]
    return Replay(name, found[0], tuple(found[1:]))


def _in_order(name: str, record: RunRecord, source: Source, order: np.ndarray[Any, Any]) -> list[Replayed]:
    """Return what becomes of each training, in the run's order, when they begin in another one."""
    pruner = create_pruner(
        name, source.space, record.objectives, source.epochs, source.seed, constraints=source.constraints
    )
    gone = replayed(
        [source.trainings[place] for place in order],
        source.space,
        pruner,
        objectives=record.objectives,
        constraints=source.constraints,
        epochs=source.epochs,
        workers=source.workers,
        name=source.study,
        min_epochs=source.min_epochs,
    )
    back: list[Replayed] = [gone[0]] * len(gone)
    for place, ended in zip(order, gone, strict=True):
        back[int(place)] = ended
    return back
