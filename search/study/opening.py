"""The Optuna study of a run: opened, created, repaired."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import optuna
from optuna.samplers import BaseSampler
from optuna.storages import BaseStorage, InMemoryStorage

from fusion_ops.errors import RunError
from reports.masking import masked
from reports.measures import MEASURES
from search.strategy.samplers.proposing import ProposingSampler
from search.study.journal import Journal
from search.study.long_storage import LongStorage
from search.study.run_directory import CONFIG
from search.study.storage import has_studies, open_storage

__all__ = ["create_study", "cut_torn_tail", "load_study", "memory_study", "remove_study"]

STUDY_NAME = "fusion-nas"
SHOWN = 10
BLOCK = 1 << 20
# So many of the latest trials that have ended stay in memory whole.
KEPT = 2048


def create_study(
    journal: Path, url: str | None, objectives: Sequence[str], sampler: BaseSampler, name: str = STUDY_NAME
) -> optuna.Study:
    """Create the study of a new run.

    Args:
        journal: The journal file, where `url` is `None`.
        url: `sqlite:///…` or `postgresql://…`.
        objectives: Names of the objectives; they give the directions.
        sampler: Who proposes.
        name: Name of the study in the storage.

    Raises:
        RunError: The storage cannot be used, or has a study of that name.
    """
    try:
        with _quiet():
            study = optuna.create_study(
                storage=_storage(journal, url, sampler),
                study_name=name,
                directions=[MEASURES[objective].direction for objective in objectives],
                sampler=sampler,
                pruner=optuna.pruners.NopPruner(),
            )
            study.set_metric_names(list(objectives))
    except optuna.exceptions.DuplicatedStudyError:
        raise RunError(
            f"the storage {masked(url or journal.name)} has a study `{name}` already; "
            "choose a run directory of another name."
        ) from None
    return study


def load_study(
    journal: Path,
    url: str | None,
    objectives: Sequence[str],
    sampler: BaseSampler,
    name: str = STUDY_NAME,
    *,
    guessed: bool = False,
    copied: bool = False,
) -> optuna.Study:
    """Open the study of an existing run; a torn last line of its journal is cut off first.

    Args:
        journal: The journal file, where `url` is `None`; its only study is opened, whatever its name.
        url: `sqlite:///…` or `postgresql://…`.
        objectives: Names of the objectives.
        sampler: Who proposes.
        name: Name of the study in a database, where other runs may keep theirs.
        guessed: Whether that name is only likely: the only study of an SQLite file is opened, whatever its name.
        copied: Whether to return a copy in memory, which may be changed; then nothing is written, nothing cut off.

    Raises:
        RunError: There is no usable study, or its directions are not those of `objectives`.
    """
    if url is None:
        if not journal.is_file():
            raise RunError(f"{journal} does not exist; the run cannot be continued. Restore it from a copy.")
        if not copied:
            cut_torn_tail(journal)
    elif not has_studies(url):
        raise RunError(_missing(name, (), url))
    try:
        storage = _storage(journal, url, sampler)
        names = optuna.get_all_study_names(storage)
        if len(names) == 1 and (url is None or (guessed and url.startswith("sqlite"))):
            name = names[0]
        elif url is not None and name not in names:
            raise RunError(_missing(name, names, url))
        if copied:
            storage = _copy(storage, name)
        study = optuna.load_study(storage=storage, study_name=name, sampler=sampler, pruner=optuna.pruners.NopPruner())
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise RunError(f"{journal.name} is not a usable study ({error}); restore it from a copy.") from None
    directions = [direction.name.lower() for direction in study.directions]
    expected = [MEASURES[objective].direction for objective in objectives]
    if directions != expected:
        raise RunError(f"{journal.name} is not a usable study: it has directions {directions}, not {expected}.")
    return study


def memory_study(objectives: Sequence[str], name: str = STUDY_NAME) -> optuna.Study:
    """Return an empty study in memory; nothing proposes, all of its trials are queued.

    Args:
        objectives: Names of the objectives; they give the directions.
        name: Its name, by which Hyperband chooses brackets.
    """
    with _quiet():
        study = optuna.create_study(
            study_name=name,
            directions=[MEASURES[objective].direction for objective in objectives],
            sampler=optuna.samplers.RandomSampler(seed=0),
            pruner=optuna.pruners.NopPruner(),
        )
        study.set_metric_names(list(objectives))
    return study


def cut_torn_tail(journal: Path) -> bool:
    """Cut an unfinished last line off the journal and keep it beside it; return whether there was one."""
    with journal.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        end = _end_of_lines(file, size)
        if end == size:
            return False
        file.seek(end)
        torn = file.read()
    with journal.with_name(journal.name + ".torn").open("ab") as kept:
        kept.write(torn + b"\n")
    with journal.open("r+b") as file:
        file.truncate(end)
    return True


def remove_study(url: str | None, name: str) -> None:
    """Remove a study from a database; a journal goes with its folder."""
    if url is not None:
        optuna.delete_study(study_name=name, storage=open_storage(url))


def _end_of_lines(file: BinaryIO, size: int) -> int:
    """Return where the last whole line of a file ends, which may be too long to be read as a whole."""
    place = size
    while place > 0:
        begin = max(place - BLOCK, 0)
        file.seek(begin)
        found = file.read(place - begin).rfind(b"\n")
        if found >= 0:
            return begin + found + 1
        place = begin
    return 0


def _missing(name: str, names: Sequence[str], url: str) -> str:
    known = ", ".join(f"`{other}`" for other in names[:SHOWN]) or "none"
    return (
        f"the storage {masked(url)} has no study `{name}`; it has {known}. Give the right `storage.url`, or, where "
        f"the run directory was renamed, write `study: NAME` under `resolved` in its {CONFIG}."
    )


@contextmanager
def _quiet() -> Iterator[None]:
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(verbosity)


def _storage(journal: Path, url: str | None, sampler: BaseSampler) -> BaseStorage:
    """Return the storage; samplers of fusion-nas read each trial once, Optuna's may read all for every proposal."""
    if url is None:
        return LongStorage(Journal(journal), KEPT if isinstance(sampler, ProposingSampler) else None)
    return open_storage(url)


def _copy(storage: BaseStorage, name: str) -> BaseStorage:
    copy = InMemoryStorage()
    with _quiet():
        optuna.copy_study(from_study_name=name, from_storage=storage, to_storage=copy)
    return copy
