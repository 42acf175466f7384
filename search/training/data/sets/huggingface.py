"""`huggingface`: a set of the Hugging Face `datasets` package, from a folder, from Parquet files, or by name.

Needs the extra `hf`: pip install fusion-nas[hf]. No code of a data set is run.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from pydantic import ConfigDict, ValidationInfo, field_validator
from torch import Tensor

from fusion_ops.errors import DataError, nearest
from search.training.data.assemble import assembled
from search.training.data.dataset import IGNORED, Dataset, Split
from search.training.data.division.groups import as_groups
from search.training.data.labels.class_lists import are_lists, columns
from search.training.data.labels.numbering import NO_LABEL, coded
from search.training.data.notices import Notices
from search.training.data.pictures.decoding import Picture, decoded
from search.training.data.pictures.depth import tell_of_unused_range
from search.training.data.pictures.masks import MaskSection
from search.training.data.pictures.section import stacked
from search.training.data.source import DATASETS, DatasetSource
from search.training.data.tables import tables
from search.training.settings import Text

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
    notices = Notices()
    with tables(section, section.dataset, section.subset, section.revision, notices) as opened:
        for part, table in opened.items():
            _require_columns(table, part, section)
        splits, names = _splits(opened, section, notices)
        splits = {part: replace(split, groups=_groups(opened[part], part, section)) for part, split in splits.items()}
    tell_of_unused_range(section.range, notices)
    return assembled(section, names, **splits, notices=notices.told(), values=section.values, place=_place)


def _place(part: str, row: int) -> str:
    return f"data set huggingface, {part}, row {row}"


def _require_columns(table: Any, part: str, section: HuggingFace) -> None:
    for column in filter(None, (section.image, section.label, section.group_column)):
        if column not in table.column_names:
            known = ", ".join(table.column_names)
            hint = nearest(column, table.column_names)
            raise DataError(f"data set huggingface, {part}: there is no column `{column}`{hint}; known: {known}.")


def _splits(opened: dict[str, Any], section: HuggingFace, notices: Notices) -> tuple[dict[str, Split], tuple[str, ...]]:
    """Return the parts, and the names of the classes as far as the set or its labels have some."""
    images = {part: _images(table, part, section, notices) for part, table in opened.items()}
    kind = opened["train"].features[section.label]
    if _holds_images(kind):
        masks = {part: _masks(table, part, images[part], section, notices) for part, table in opened.items()}
        return {part: Split(images[part], masks[part]) for part in opened}, section.values.names
    _require_same_names(opened, section)
    labels = {part: table.with_format(None)[section.label][:] for part, table in opened.items()}
    if are_lists(labels):
        values, of_regression = section.values, section.task == "regression"
        noted = () if of_regression else _named(getattr(kind, "feature", None))
        there = {part: found for part, found in labels.items() if any(label is not None for label in found)}
        several, names = columns(there, values.names or noted, _place, values.given, values=of_regression)
        width = next(iter(several.values())).shape[1]
        unknown = {part: torch.full((len(labels[part]), width), NO_LABEL) for part in labels.keys() - there.keys()}
        return {part: Split(images[part], (several | unknown)[part]) for part in opened}, names
    checked = {part: _of_one_kind(found, part) for part, found in labels.items()}
    coded_labels, names = coded(checked, section.values, _place)
    splits = {part: Split(images[part], _tensor(coded_labels[part])) for part in opened}
    return splits, names or (() if section.task == "regression" else _named(kind))


def _named(kind: Any) -> tuple[str, ...]:
    return tuple(getattr(kind, "names", None) or ())


def _require_same_names(opened: dict[str, Any], section: HuggingFace) -> None:
    """Check that the numbers of the classes mean the same in all parts."""
    kinds = {part: table.features[section.label] for part, table in opened.items()}
    names = {part: _named(getattr(kind, "feature", kind)) for part, kind in kinds.items()}
    other = next((part for part in names if names[part] not in ((), names["train"])), None)
    if other is not None:
        raise DataError(
            f"data set huggingface: column `{section.label}` has the classes {', '.join(names['train']) or 'none'} in "
            f"train, and {', '.join(names[other])} in {other}; save both with the same names in the same order."
        )


def _tensor(labels: Any) -> Tensor:
    found = torch.as_tensor(labels)
    return found.float() if found.is_floating_point() else found.long()


def _groups(table: Any, part: str, section: HuggingFace) -> tuple[str, ...]:
    """Return the group of each row, where `data.groups` names a column."""
    if section.group_column is None:
        return ()
    values = table.with_format(None)[section.group_column][:]
    return as_groups(values, f"data set huggingface, {part}, column `{section.group_column}`")


def _images(table: Any, part: str, section: HuggingFace, notices: Notices) -> Tensor:
    read = _pictures(table, section.image, part)
    return stacked(range(len(table)), lambda row: section.pixels(read(row), notices), lambda row: f"row {row}")


def _masks(table: Any, part: str, images: Tensor, section: HuggingFace, notices: Notices) -> Tensor:
    """Return the masks of a part; of one that has none, as test parts may, nothing but unknown pixels."""
    if part == "test" and table.with_format("arrow")[section.label][:].null_count == len(table):
        return torch.full((len(images), *images.shape[2:]), IGNORED, dtype=torch.uint8)
    read = _pictures(table, section.label, part)
    return stacked(range(len(table)), lambda row: section.mask(read(row), notices), lambda row: f"row {row}")


def _of_one_kind(labels: list[Any], part: str) -> list[Any]:
    """Return labels of one kind, numbers or texts."""
    if labels and all(label is None for label in labels):
        return [NO_LABEL] * len(labels)
    kinds: Any = str if labels and isinstance(labels[0], str) else int | float
    wrong = next((row for row, label in enumerate(labels) if not isinstance(label, kinds)), None)
    if wrong is not None:
        words = "texts, as the first is" if kinds is str else "numbers, texts, or lists of them"
        raise DataError(f"{_place(part, wrong)}: labels are {words}; got {labels[wrong]!r}.")
    return labels


def _holds_images(kind: Any) -> bool:
    """Return whether a column has images, or image files as bytes, as other programs write them into Parquet files."""
    import datasets

    if isinstance(kind, datasets.Value):
        return str(kind.dtype) in ("binary", "large_binary")
    return isinstance(kind, datasets.Image) or (isinstance(kind, dict) and set(kind) == {"bytes", "path"})


def _pictures(table: Any, column: str, part: str) -> Callable[[int], Picture]:
    import datasets

    if not _holds_images(table.features[column]):
        kind = type(table.features[column]).__name__
        raise DataError(
            f"data set huggingface: column `{column}` must hold images, or whole image files as bytes; got {kind}."
        )
    raw = table.select_columns([column]).cast_column(column, datasets.Image(decode=False))

    def read(row: int) -> Picture:
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
