"""Data sets as files of uint8 that all workers of a machine map into memory, so that they share one copy.

An entry is a folder `NAME-SETTINGS/STATE/` with one `.npy` file a tensor and `dataset.json`. SETTINGS and STATE are
hashes: of the `data` section, and of what it was made from (files with their sizes and times of change). An entry is
written beside its place and renamed, so that it is there whole or not at all.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fusion_ops.errors import DataError
from search.training.data.dataset import PART_NAMES, Dataset, Split

__all__ = ["cached", "default_folder", "files_in", "files_state", "read_files", "shared", "write_files"]

FORMAT = 2
DESCRIPTION = "dataset.json"
KINDS = ("images", "labels")

logger = logging.getLogger(__name__)


def default_folder() -> Path:
    """Return the folder for cached data sets: `fusion-nas/data` in the user's cache folder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fusion-nas" / "data"


def cached(settings: dict[str, Any], state: Any, build: Callable[[], Dataset]) -> Dataset:
    """Return a data set from its entry; build it and write the entry first where there is none.

    Of several processes, one builds and the others wait for it. Entries of the same settings whose files have
    changed since are removed.

    Args:
        settings: The `data` section; its `cache` is the folder, or nothing for the default.
        state: What the set is made from, as JSON-ready values; a change makes a new entry.
        build: Returns the data set.

    Raises:
        DataError: What `build` raises.
    """
    folder = Path(settings.get("cache") or default_folder()).expanduser()
    name = "".join(char if char.isalnum() or char in "_." else "_" for char in settings["name"])
    content = {key: value for key, value in settings.items() if key != "cache"}
    family = folder / f"{name}-{_hash([FORMAT, content])}"
    entry = family / _hash(state)
    with ExitStack() as held:
        try:
            family.mkdir(parents=True, exist_ok=True)
            lock = held.enter_context((family / "lock").open("a"))
            fcntl.flock(lock, fcntl.LOCK_EX)
        except OSError as error:
            _warn(settings, folder, error)
            return build()
        found = read_files(entry)
        if found is not None:
            return found
        dataset = build()
        try:
            return _write(dataset, entry)
        except OSError as error:
            _warn(settings, folder, error)
            return dataset


def _warn(settings: dict[str, Any], folder: Path, error: OSError) -> None:
    logger.warning(
        "data set %s cannot be cached in %s (%s): each worker holds a separate copy; set `data.cache` to a folder that "
        "can be written.",
        settings["name"], folder, error.strerror,
    )  # fmt: skip


def shared(dataset: Dataset, folder: str | None) -> Dataset:
    """Return the same data set from an entry that is named by its content, so that workers share one copy."""
    digest = hashlib.blake2b(digest_size=16)
    for tensor in _tensors(dataset).values():
        digest.update(tensor.contiguous().numpy().data)
    settings = {
        "name": dataset.name,
        "cache": folder,
        "info": dataset.info(),
        "content": digest.hexdigest(),
    }
    return replace(cached(settings, None, lambda: dataset), divided_by=dataset.divided_by)


def files_in(root: Path) -> list[Path]:
    """Return the files in a folder and the folders in it, by path; hidden files and folders are left out.

    Raises:
        DataError: A folder cannot be read.
    """

    def fail(error: OSError) -> None:
        raise DataError(f"folder {error.filename} cannot be read ({error.strerror}).")

    found = []
    for folder, folders, names in os.walk(root, onerror=fail, followlinks=True):
        # What is left of this list is gone into.
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(folder, name) for name in names if not name.startswith(".")]
    return sorted(found)


def files_state(root: Path) -> list[list[Any]]:
    """Return path, size and time of the last change of a file, or of all files in a folder.

    Raises:
        DataError: A file cannot be read.
    """
    rows = []
    for path in [root] if root.is_file() else files_in(root):
        try:
            found = path.stat()
        except OSError as error:
            raise DataError(f"{path} cannot be read ({error.strerror}).") from None
        rows.append([str(path), found.st_size, found.st_mtime_ns])
    return rows


def _write(dataset: Dataset, entry: Path) -> Dataset:
    partial = Path(tempfile.mkdtemp(prefix="partial-", dir=entry.parent))
    try:
        write_files(dataset, partial)
        for other in entry.parent.iterdir():
            if other.is_dir() and other != partial:
                shutil.rmtree(other, ignore_errors=True)
        partial.rename(entry)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    found = read_files(entry)
    return found if found is not None else dataset


def write_files(dataset: Dataset, folder: Path) -> None:
    """Write a data set into an empty folder, for `read_files`.

    Raises:
        OSError: The folder cannot be written.
    """
    for name, tensor in _tensors(dataset).items():
        np.save(folder / f"{name}.npy", tensor.numpy(), allow_pickle=False)
    sizes = {file.name: file.stat().st_size for file in folder.iterdir()}
    description = dataset.info() | {"format": FORMAT, "files": sizes}
    (folder / DESCRIPTION).write_text(json.dumps(description), encoding="utf-8")


def read_files(entry: Path) -> Dataset | None:
    """Return the data set in a folder, its tensors mapped; nothing where it is not there or not whole."""
    try:
        noted = json.loads((entry / DESCRIPTION).read_text(encoding="utf-8"))
        if any((entry / name).stat().st_size != size for name, size in noted["files"].items()):
            raise ValueError("a file has another size than when it was written")
        others = range(len(noted.get("other_shapes", ())))
        splits = {part: _split(entry, part, others) for part in PART_NAMES}
        classes, mean, std, notices = (tuple(noted.get(key, ())) for key in ("classes", "mean", "std", "notices"))
        train, validation, test = (splits[part] for part in ("train", "validation", "test"))
        return Dataset(noted["name"], noted["task"], classes, train, validation, test, mean, std, notices)
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, DataError) as error:
        logger.warning("%s is not a whole cached data set (%s).", entry, error)
        return None


def _split(entry: Path, part: str, others: Iterable[int]) -> Split:
    images, labels = (_mapped(entry / f"{part}_{kind}.npy") for kind in KINDS)
    return Split(images, labels, tuple(_mapped(entry / f"{part}_other{index}.npy") for index in others))


def _mapped(path: Path) -> Tensor:
    # Mode "c" shares the pages of the file; a process that writes to one gets a private copy of the page.
    return torch.from_numpy(np.load(path, mmap_mode="c", allow_pickle=False))


def _tensors(dataset: Dataset) -> dict[str, Tensor]:
    found = {f"{part}_{kind}": getattr(split, kind) for part, split in dataset.parts.items() for kind in KINDS}
    others = ((part, *item) for part, split in dataset.parts.items() for item in enumerate(split.others))
    return found | {f"{part}_other{index}": other for part, index, other in others}


def _hash(value: Any) -> str:
    # The order of keys counts: that of `data.classes` says which class is which.
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:16]
