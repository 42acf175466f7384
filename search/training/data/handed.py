"""A data set that a user hands over: arrays, a `torch.utils.data.Dataset`, or several of them as its parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch

from fusion_ops.errors import DataError
from search.training.data.arrays import Layout, split_from
from search.training.data.assemble import assembled
from search.training.data.dataset import PART_NAMES, Dataset, Split
from search.training.data.division.groups import as_groups
from search.training.data.items import classes_of, collected, is_map_style
from search.training.data.labels.class_values import ClassSection, ClassValues
from search.training.data.labels.numbering import coded
from search.training.data.notices import Notices
from search.training.data.pictures.depth import Range, tell_of_unused_range
from search.training.data.source import CachedSection
from search.training.settings import DIVIDING

__all__ = ["HandedSection", "dataset_of"]

FORMS = (
    "a search.data.Dataset, a pair (images, labels), a torch.utils.data.Dataset with `len` and items by index, or a "
    "mapping with `train` and optionally `validation`, `test` (each a pair or such a data set) and `classes`"
)
KEYS = (*PART_NAMES, "classes")
WHITE = 255


class HandedSection(CachedSection):
    """The `data` section of a set that a user hands over.

    Args:
        layout: Where the images' channels are: `nchw`, `nhwc`, or `auto`: the axis of 1, 3 or 4 entries.
        range: Of images that are not uint8: the values that become 0 and 255. `null`: 0 and 65535 for uint16, 0 and 1
            for floating-point ones within these; others are refused.
    """

    layout: Layout = "auto"
    range: Range | None = None


class _Part(NamedTuple):
    """What is handed over of one part."""

    images: Any
    labels: Any
    groups: Sequence[Any] | None


def dataset_of(value: Any, section: HandedSection, what: str, must: str = "must be") -> Dataset:
    """Return what a user hands over as a data set.

    Args:
        value: A `Dataset`, a pair of images and labels, a map-style data set of pairs or of mappings with `image` and
            `label`, or a mapping with parts of these kinds.
        section: The `data` section.
        what: How messages call it.
        must: How they go on.

    Raises:
        DataError: It is something else, or what it holds is wrong; what `assembled` raises.
    """
    if isinstance(value, Dataset):
        return _undivided(value, section, what)
    given, notices = _parts(value, what, must), Notices()
    values = _class_values(given, section, what)
    parts = {key: _part(given[key], f"{what} {key}", section, notices) for key in PART_NAMES if key in given}

    def place(part: str, index: int) -> str:
        return f"{what} {part} labels, image {index}"

    # Those of a `Split` are numbers of classes already, unless `data.classes` says which value is which.
    listed = {key: part.labels for key, part in parts.items() if isinstance(part, _Part) or values.given}
    labels, names = coded(listed, values, place)
    splits = {
        key: _numbered(part, labels.get(key), f"{what} {key} labels", values)
        if isinstance(part, Split)
        else _split(part._replace(labels=labels[key]), f"{what} {key}", section, values, notices)
        for key, part in parts.items()
    }
    if not names and section.task != "regression":
        names = tuple(classes_of(given["train"]))
    tell_of_unused_range(section.range, notices)
    return assembled(section, names, **splits, notices=notices.told(), values=values, place=place)


def _class_values(given: Mapping[str, Any], section: HandedSection, what: str) -> ClassValues:
    if isinstance(section, ClassSection) and section.classes:
        return section.values
    classes = given.get("classes", ())
    if isinstance(classes, str) or not all(isinstance(name, str) for name in classes):
        raise DataError(f"{what} classes must be a list of names; got {classes!r}.")
    return ClassValues(tuple(classes))


def _undivided(dataset: Dataset, section: HandedSection, what: str) -> Dataset:
    for key in DIVIDING:
        if getattr(section, key) is not None:
            raise DataError(
                f"{what} is a search.data.Dataset, whose parts are not divided anew by `data.{key}`; give a mapping "
                "of arrays, or leave the key out."
            )
    for key in ("classes", "unknown", "range") if isinstance(section, ClassSection) else ():
        if getattr(section, key):
            raise DataError(
                f"{what} is a search.data.Dataset, which `data.{key}` does not change; leave the key out, or give a "
                "mapping of arrays."
            )
    if section.task not in (None, dataset.task):
        raise DataError(f"{what} is a search.data.Dataset of {dataset.task}; got `data.task: {section.task}`.")
    return dataset


def _parts(value: Any, what: str, must: str) -> dict[str, Any]:
    if isinstance(value, tuple) and len(value) == 2:
        return {"train": value}
    if isinstance(value, Mapping):
        given = {key: part for key, part in value.items() if part is not None}
        if "train" not in given or not given.keys() <= set(KEYS):
            got = ", ".join(map(str, given)) or "nothing"
            raise DataError(f"{what} {must} a mapping with {', '.join(KEYS)}, at least `train`; got {got}.")
        return given
    if is_map_style(value):
        return {"train": value}
    inner = "; give its `dataset`" if is_map_style(getattr(value, "dataset", None)) else ""
    raise DataError(f"{what} {must} {FORMS}; got {type(value).__name__}{inner}.")


def _part(value: Any, where: str, section: HandedSection, notices: Notices) -> _Part | Split:
    """Return images, labels and groups of one part, as they were handed over."""
    if isinstance(value, Split):
        return value
    column, groups = section.group_column, None
    if isinstance(value, Mapping):
        groups = _groups(value, column, where)
        keys = {"images", "labels"} | ({column} if column is not None else set())
        value = (value["images"], value["labels"]) if set(value) == keys else value
    elif not _is_pair(value) and is_map_style(value):
        return _Part(*collected(value, where, column, notices))
    if not _is_pair(value):
        raise DataError(f"{where} must be a pair (images, labels); got {type(value).__name__}.")
    return _Part(value[0], value[1], groups)


def _numbered(split: Split, labels: Any, where: str, values: ClassValues) -> Split:
    """Return a part with numbers of classes where its labels, or its masks, have the values of `data.classes`."""
    if split.labels.ndim == 3 and not split.labels.is_floating_point():
        return replace(split, labels=torch.from_numpy(values.mask(split.labels.numpy(), where)))
    return split if labels is None else replace(split, labels=torch.as_tensor(labels))


def _split(part: _Part, where: str, section: HandedSection, values: ClassValues, notices: Notices) -> Split:
    images = part.images if section.range is not None else _in_bytes(part.images, where, notices)
    split = split_from(
        images,
        part.labels,
        where,
        section.layout,
        user_defined=True,
        values=values,
        given=section.range,
        notices=notices,
        columns=section.task == "multilabel",
    )
    if part.groups is None:
        return split
    groups = as_groups(part.groups, f"{where} {section.group_column}")
    if len(groups) != len(split):
        raise DataError(f"{where}: every image has a group; got {len(split)} images and {len(groups)} groups.")
    return replace(split, groups=groups)


def _is_pair(value: Any) -> bool:
    return isinstance(value, tuple | list) and len(value) == 2


def _groups(part: Mapping[str, Any], column: str | None, where: str) -> Sequence[Any] | None:
    if column is not None and column not in part:
        keys = ", ".join(map(str, part)) or "nothing"
        raise DataError(f"{where}: `data.groups: {column}` needs `{column}` beside images and labels; got {keys}.")
    return None if column is None else part[column]


def _in_bytes(images: Any, where: str, notices: Notices) -> Any:
    """Return floating-point images from 0 to 1 as uint8, and all that are not floating-point as they are."""
    if isinstance(images, tuple | list):
        return (_in_bytes(images[0], where, notices), *images[1:]) if images else images
    array = images.detach().cpu().numpy() if isinstance(images, torch.Tensor) else images
    if not isinstance(array, np.ndarray) or array.dtype.kind != "f" or not array.size:
        return images
    low, high = float(array.min()), float(array.max())
    if not 0 <= low <= high <= 1:
        raise DataError(
            f"{where} images must be uint8 from 0 to 255, or floating-point from 0 to 1; got {array.dtype} from "
            f"{low:g} to {high:g}. Leave a normalisation out, which is `data.mean` and `data.std`; or set "
            f"`data.range: [{low:g}, {high:g}]`, the values that become black and white."
        )
    notices.say(f"{where}: {len(array):,} images of {array.dtype} from {low:g} to {high:g} were scaled to 0 … 255")
    return np.rint(array * WHITE).astype(np.uint8)
