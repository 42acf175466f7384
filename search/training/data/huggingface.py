"""`huggingface`: a set of the Hugging Face `datasets` package, from a folder, from Parquet files, or by name.

Needs the extra `hf`: pip install fusion-nas[hf]. No code of a data set is run.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from fusion_ops.errors import DataError, nearest
from search.training.data.assemble import assembled, class_numbers
from search.training.data.cache import files_state
from search.training.data.dataset import Dataset, Split
from search.training.data.pictures import Size, decoded, picture, stacked
from search.training.data.source import DATASETS, CachedSection, DatasetSource
from search.training.settings import Text

__all__ = ["HuggingFace", "load_huggingface"]

PARTS = {"train": ("train",), "validation": ("validation", "valid", "val"), "test": ("test",)}
MASK_MODES = ("L", "P")


class HuggingFace(CachedSection):
    """The `data` section of `huggingface`; either `path` or `dataset` is given.

    `path` is a folder written by `save_to_disk`, a Parquet file, or a folder of Parquet files whose names begin with
    `train`, `validation` or `test`.

    Args:
        dataset: Name of a set on the hub, for example `uoft-cs/cifar10`.
        subset: Its configuration, where it has several.
        revision: Its version: a tag or a commit; without one the newest is taken when it is first loaded.
        image: Column of the images.
        label: Column of the labels, or of the masks.
        size: Height and width to which the images are brought: the shorter side is resized, the middle cut out;
            `null` for images that have one size already.
        channels: 3 for colour, 1 for grey.
        classes: Names of the classes; empty: those that the set notes, else their numbers.
    """

    dataset: Text | None = None
    subset: Text | None = None
    revision: Text | None = None
    image: Text = "image"
    label: Text = "label"
    size: Size | None = None
    channels: Literal[3, 1] = 3
    classes: tuple[str, ...] = ()


def load_huggingface(section: HuggingFace) -> Dataset:
    """Return a set with a column of images and one of labels or of masks.

    Raises:
        DataError: The set cannot be had, or a column is missing or unfit.
    """
    with tempfile.TemporaryDirectory(prefix="fusion-nas-") as scratch:
        tables = _parts(_opened(section, scratch))
        splits = {part: _split(table, part, section) for part, table in tables.items()}
        names = getattr(tables["train"].features[section.label], "names", None)
        classes = section.classes or names or class_numbers(splits.values())
        # On Windows and NFS a mapped file cannot be removed.
        del tables
    return assembled(section, classes, **splits)


def _opened(section: HuggingFace, scratch: str) -> Any:
    import datasets

    try:
        if section.path is None:
            return datasets.load_dataset(section.dataset, section.subset, revision=section.revision)
        root = Path(section.path).expanduser()
        if root.is_dir() and not _parquet(root):
            return datasets.load_from_disk(str(root))
        files = [root] if root.is_file() else _parquet(root)
        return datasets.load_dataset("parquet", data_files=_by_part(files), cache_dir=scratch)
    except Exception as error:
        first = (str(error).strip().splitlines() or [""])[0]
        what = section.dataset or section.path
        raise DataError(f"data set huggingface: {what} cannot be loaded ({type(error).__name__}: {first}).") from error


def _parquet(root: Path) -> list[Path]:
    return sorted(root.rglob("*.parquet"))


def _by_part(files: Sequence[Path]) -> dict[str, list[str]]:
    parts: dict[str, list[str]] = {}
    for file in files:
        part = next((part for part, names in PARTS.items() if file.name.startswith(names)), "train")
        parts.setdefault(part, []).append(str(file))
    return parts


def _parts(opened: Any) -> dict[str, Any]:
    if not isinstance(opened, dict):
        return {"train": opened}
    found = {part: opened[name] for part, names in PARTS.items() for name in names if name in opened}
    if "train" not in found:
        raise DataError(f"data set huggingface has no split `train`; it has {', '.join(opened)}.")
    return found


def _split(table: Any, part: str, section: HuggingFace) -> Split:
    import datasets

    for column in (section.image, section.label):
        if column not in table.column_names:
            known = ", ".join(table.column_names)
            hint = nearest(column, table.column_names)
            raise DataError(f"data set huggingface, {part}: there is no column `{column}`{hint}; known: {known}.")
    pictures = _pictures(table, section.image, part)
    images = stacked(
        range(len(table)), lambda row: picture(pictures(row), section.size, section.channels), lambda row: f"row {row}"
    )
    if isinstance(table.features[section.label], datasets.Image):
        drawn = _pictures(table, section.label, part)
        return Split(images, stacked(range(len(table)), lambda row: _mask(drawn(row), row, section)))
    labels = table.with_format(None)[section.label][:]
    wrong = next((row for row, label in enumerate(labels) if not isinstance(label, int)), None)
    if wrong is not None:
        raise DataError(f"data set huggingface, {part}, row {wrong}: labels are whole numbers; got {labels[wrong]!r}.")
    return Split(images, torch.tensor(labels, dtype=torch.int64))


def _pictures(table: Any, column: str, part: str) -> Any:
    import datasets

    if not isinstance(table.features[column], datasets.Image):
        kind = type(table.features[column]).__name__
        raise DataError(f"data set huggingface: column `{column}` must hold images; got {kind}.")
    raw = table.select_columns([column]).cast_column(column, datasets.Image(decode=False))

    def read(row: int) -> Any:
        cell = raw[row][column]
        if cell is None:
            raise DataError(f"data set huggingface, {part}, row {row}: column `{column}` is empty.")
        file = io.BytesIO(cell["bytes"]) if cell["bytes"] is not None else Path(cell["path"])
        return decoded(file, f"data set huggingface, {part}, row {row}, column `{column}`")

    return read


def _mask(image: Any, row: int, section: HuggingFace) -> NDArray[np.uint8]:
    if image.mode not in MASK_MODES:
        raise DataError(
            f"data set huggingface, row {row}: a mask has 8 bits, grey or with a palette; got mode {image.mode}."
        )
    return picture(image, section.size, 0, smooth=False)


def _state(section: HuggingFace) -> Any:
    if (section.path is None) == (section.dataset is None):
        raise DataError("data set huggingface needs either `data.path` or `data.dataset`; give one of them.")
    if find_spec("datasets") is None:
        raise DataError("data set huggingface needs the package datasets: pip install fusion-nas[hf].")
    if section.path is None:
        return section.revision
    root = Path(section.path).expanduser()
    if not root.exists():
        raise DataError(f"data set huggingface: `data.path` does not exist; got {root.absolute()}.")
    return files_state([root] if root.is_file() else [path for path in root.rglob("*") if path.is_file()])


DATASETS.register("huggingface")(DatasetSource(None, load_huggingface, HuggingFace, state=_state))
