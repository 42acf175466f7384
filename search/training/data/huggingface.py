"""`huggingface`: a set of the Hugging Face `datasets` package, from a folder, from Parquet files, or by name.

Needs the extra `hf`: pip install fusion-nas[hf]. No code of a data set is run.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from pydantic import ConfigDict, ValidationInfo, field_validator

from fusion_ops.errors import DataError, nearest
from search.training.data.assemble import assembled, class_numbers
from search.training.data.cache import files_in
from search.training.data.dataset import PART_NAMES, Dataset, Split
from search.training.data.groups import as_groups
from search.training.data.pictures import MaskSection, decoded, stacked
from search.training.data.source import DATASETS, DatasetSource
from search.training.settings import Text

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["HuggingFace", "load_huggingface"]


class HuggingFace(MaskSection):
    """The `data` section of `huggingface`; either `path` or `dataset` is given.

    `path` is a folder written by `save_to_disk`, a Parquet file, or a folder of Parquet files whose names begin with
    `train`, `validation` or `test`.

    Args:
        dataset: Name of a set on the hub, for example `uoft-cs/cifar10`.
        subset: Its configuration, where it has several.
        revision: Its version: a tag or a commit; without one the newest is taken when it is first loaded.
        image: Column of the images.
        label: Column of the labels, or of the masks.
    """

    model_config = ConfigDict(validate_default=True)

    dataset: Text | None = None
    subset: Text | None = None
    revision: Text | None = None
    image: Text = "image"
    label: Text = "label"

    @field_validator("dataset")
    @classmethod
    def _one_source(cls, dataset: str | None, info: ValidationInfo) -> str | None:
        if (info.data.get("path") is None) == (dataset is None):
            raise ValueError("data set huggingface needs either `data.path` or `data.dataset`; give one of them.")
        return dataset


def load_huggingface(section: HuggingFace) -> Dataset:
    """Return a set with a column of images and one of labels or of masks."""
    with tempfile.TemporaryDirectory(prefix="fusion-nas-") as scratch:
        tables = _parts(_opened(section, scratch))
        splits = {part: _split(table, part, section) for part, table in tables.items()}
        names = getattr(tables["train"].features[section.label], "names", None)
        classes = section.classes or names or class_numbers(splits.values())
        # On Windows and NFS a mapped file cannot be removed.
        del tables
    return assembled(section, classes, **splits, notices=())


def _opened(section: HuggingFace, scratch: str) -> Any:
    import datasets

    try:
        if section.path is None:
            return datasets.load_dataset(section.dataset, section.subset, revision=section.revision)
        root = section.existing()
        files = [root] if root.is_file() else [file for file in files_in(root) if file.suffix == ".parquet"]
        if not files:
            return datasets.load_from_disk(str(root))
        return datasets.load_dataset("parquet", data_files=_by_part(files), cache_dir=scratch)
    except Exception as error:
        first = (str(error).strip().splitlines() or [""])[0]
        what = section.dataset or section.path
        raise DataError(f"data set huggingface: {what} cannot be loaded ({type(error).__name__}: {first}).") from error


def _by_part(files: Sequence[Path]) -> dict[str, list[str]]:
    parts: dict[str, list[str]] = {}
    for file in files:
        part = next((part for part, names in PART_NAMES.items() if file.name.startswith(names)), "train")
        parts.setdefault(part, []).append(str(file))
    return parts


def _parts(opened: Any) -> dict[str, Any]:
    if not isinstance(opened, dict):
        return {"train": opened}
    found = {part: opened[name] for part, names in PART_NAMES.items() for name in names if name in opened}
    if "train" not in found:
        raise DataError(f"data set huggingface has no split `train`; it has {', '.join(opened)}.")
    return found


def _split(table: Any, part: str, section: HuggingFace) -> Split:
    import datasets

    for column in filter(None, (section.image, section.label, section.group_column)):
        if column not in table.column_names:
            known = ", ".join(table.column_names)
            hint = nearest(column, table.column_names)
            raise DataError(f"data set huggingface, {part}: there is no column `{column}`{hint}; known: {known}.")
    rows, read = range(len(table)), _pictures(table, section.image, part)
    images = stacked(rows, lambda row: section.pixels(read(row)), lambda row: f"row {row}")
    if isinstance(table.features[section.label], datasets.Image):
        drawn, where = _pictures(table, section.label, part), f"data set huggingface, {part}, row"
        masks = stacked(rows, lambda row: section.mask(drawn(row), f"{where} {row}"))
        return Split(images, masks, groups=_groups(table, part, section))
    labels = table.with_format(None)[section.label][:]
    wrong = next((row for row, label in enumerate(labels) if not isinstance(label, int)), None)
    if wrong is not None:
        raise DataError(f"data set huggingface, {part}, row {wrong}: labels are whole numbers; got {labels[wrong]!r}.")
    return Split(images, torch.tensor(labels, dtype=torch.int64), groups=_groups(table, part, section))


def _groups(table: Any, part: str, section: HuggingFace) -> tuple[str, ...]:
    """Return the group of each row, where `data.groups` names a column."""
    if section.group_column is None:
        return ()
    values = table.with_format(None)[section.group_column][:]
    return as_groups(values, f"data set huggingface, {part}, column `{section.group_column}`")


def _pictures(table: Any, column: str, part: str) -> Callable[[int], Image.Image]:
    import datasets

    if not isinstance(table.features[column], datasets.Image):
        kind = type(table.features[column]).__name__
        raise DataError(f"data set huggingface: column `{column}` must hold images; got {kind}.")
    raw = table.select_columns([column]).cast_column(column, datasets.Image(decode=False))

    def read(row: int) -> Image.Image:
        cell = raw[row][column]
        if cell is None:
            raise DataError(f"data set huggingface, {part}, row {row}: column `{column}` is empty.")
        file = io.BytesIO(cell["bytes"]) if cell["bytes"] is not None else Path(cell["path"])
        return decoded(file, f"data set huggingface, {part}, row {row}, column `{column}`")

    return read


def _state(section: HuggingFace) -> Any:
    if find_spec("datasets") is None:
        raise DataError("data set huggingface needs the package datasets: pip install fusion-nas[hf].")
    return section.revision if section.path is None else section.state()


DATASETS.register("huggingface")(DatasetSource(None, load_huggingface, HuggingFace, state=_state))
