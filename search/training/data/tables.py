"""Tables of the package `datasets`: of a saved folder, of Parquet files by part, or of a set of the hub."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fusion_ops.errors import DataError
from search.training.data.cache import files_in
from search.training.data.dataset import PART_NAMES
from search.training.data.notices import Notices
from search.training.data.pictures.left_out import tell_of_left_out
from search.training.data.source import CachedSection

__all__ = ["tables"]


@contextmanager
def tables(
    section: CachedSection, dataset: str | None, subset: str | None, revision: str | None, notices: Notices
) -> Iterator[dict[str, Any]]:
    """Yield the tables of a set by part, at least `train`; they are mapped from files, which the block may not outlive.

    Args:
        section: The `data` section; its `path` is a folder written by `save_to_disk`, a Parquet file, or a folder of
            Parquet files whose names begin with `train`, `validation` or `test`.
        dataset: Name of a set on the hub, where there is no path.
        subset: Its configuration.
        revision: Its version.
        notices: Where it is told what is not read.

    Raises:
        DataError: There is no table, or none to train on.
    """
    with tempfile.TemporaryDirectory(prefix="fusion-nas-") as scratch:
        found: dict[str, Any] = {}
        try:
            if dataset is None:
                found |= _parts(_of_files(section, scratch, notices), notices)
            else:
                found |= _parts(_loaded(dataset, dataset, subset, revision=revision), notices)
            yield found
        finally:
            # On Windows and NFS a mapped file cannot be removed.
            found.clear()


def _of_files(section: CachedSection, scratch: str, notices: Notices) -> Any:
    import datasets

    root = section.existing()
    files = [root] if root.is_file() else [file for file in files_in(root) if file.suffix == ".parquet"]
    if not files:
        with _told(root):
            return datasets.load_from_disk(str(root))
    if root.is_dir():
        tell_of_left_out(section, files, notices, "Parquet files")
    # One by one: a column without any value, such as the labels of a test part, has a type of its own.
    return {
        part: _loaded(root, "parquet", data_files={part: paths}, cache_dir=scratch, quietly=True)[part]
        for part, paths in _by_part(files, root, notices).items()
    }


def _loaded(where: object, *arguments: Any, quietly: bool = False, **settings: Any) -> Any:
    import datasets

    with _told(where), _silently(quietly):
        return datasets.load_dataset(*arguments, **settings)


@contextmanager
def _told(where: object) -> Iterator[None]:
    """Raise `DataError` in place of what the package raises, with the cause where that says only that there is one."""
    from datasets.exceptions import DatasetGenerationError

    try:
        yield
    except Exception as error:
        cause: BaseException = error
        while isinstance(cause, DatasetGenerationError) and cause.__cause__ is not None:
            cause = cause.__cause__
        first, *more = str(cause).strip().splitlines() or [""]
        why = f"{first} … {more[-1]}" if more else first
        raise DataError(f"data set huggingface: {where} cannot be loaded ({type(cause).__name__}: {why}).") from error


@contextmanager
def _silently(wanted: bool) -> Iterator[None]:
    """Read files without the package's own lines and progress bars; what is wrong is raised, too."""
    import datasets

    if not wanted:
        yield
        return
    logger, bars = logging.getLogger("datasets"), not datasets.are_progress_bars_disabled()
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        logger.setLevel(level)
        if bars:
            datasets.enable_progress_bars()


def _by_part(files: Sequence[Path], root: Path, notices: Notices) -> dict[str, list[str]]:
    """Return the files of each part, by how they are called, or else the folder that they are in."""
    found: dict[str | None, list[str]] = {}
    for file in files:
        inside = reversed(file.relative_to(root).parts) if file != root else iter((file.name,))
        part = next((part for name in inside for part, names in PART_NAMES.items() if name.startswith(names)), None)
        found.setdefault(part, []).append(str(file))
    others = found.pop(None, [])
    if others and found:
        notices.say(
            f"files whose names begin with no part count as training images: {len(others):,}, the first is {others[0]}"
        )
    parts = {part: paths for part, paths in found.items() if part is not None}
    return parts | {"train": [*parts.get("train", []), *others]} if others else parts


def _parts(opened: Any, notices: Notices) -> Mapping[str, Any]:
    if not isinstance(opened, dict):
        return {"train": opened}
    found = {part: opened[name] for part, names in PART_NAMES.items() for name in names if name in opened}
    if "train" not in found:
        raise DataError(f"data set huggingface has no split `train`; it has {', '.join(opened)}.")
    known = {name for names in PART_NAMES.values() for name in names}
    others = [f"`{name}` of {len(table):,} rows" for name, table in opened.items() if name not in known]
    if others:
        notices.say(f"splits that are no part of a search are left out: {', '.join(others)}")
    return found
