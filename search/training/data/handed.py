"""A data set that a user hands over: arrays, a `torch.utils.data.Dataset`, or several of them as its parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from fusion_ops.errors import DataError
from search.training.data.arrays import Layout, split_from
from search.training.data.assemble import assembled, class_numbers
from search.training.data.dataset import PART_NAMES, Dataset, Split
from search.training.data.groups import as_groups
from search.training.data.items import classes_of, collected, is_map_style
from search.training.data.source import CachedSection

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
    """

    layout: Layout = "auto"


def dataset_of(value: Any, section: HandedSection, what: str, must: str = "must be") -> Dataset:
    """Return what a user hands over as a data set.

    Images are uint8, or floating-point from 0 to 1, which are multiplied by 255 and rounded; that is a notice.

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
    given = _parts(value, what, must)
    notices: list[str] = []
    splits = {key: _split(given[key], f"{what} {key}", section, notices) for key in PART_NAMES if key in given}
    classes = given.get("classes") or classes_of(given["train"]) or class_numbers(splits.values())
    if isinstance(classes, str) or not all(isinstance(name, str) for name in classes):
        raise DataError(f"{what} classes must be a list of names; got {classes!r}.")
    return assembled(section, classes, **splits, notices=notices)


def _undivided(dataset: Dataset, section: HandedSection, what: str) -> Dataset:
    for key in ("groups", "split"):
        if getattr(section, key) is not None:
            raise DataError(
                f"{what} is a search.data.Dataset, whose parts are not divided anew by `data.{key}`; give a mapping "
                "of arrays, or leave the key out."
            )
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


def _split(value: Any, where: str, section: HandedSection, notices: list[str]) -> Split:
    if isinstance(value, Split):
        return value
    column, groups = section.group_column, None
    if isinstance(value, Mapping):
        groups = _groups(value, column, where)
        keys = {"images", "labels"} | ({column} if column is not None else set())
        value = (value["images"], value["labels"]) if set(value) == keys else value
    elif not _is_pair(value) and is_map_style(value):
        images, labels, groups = collected(value, where, column, notices)
        value = (images, labels)
    if not _is_pair(value):
        raise DataError(f"{where} must be a pair (images, labels); got {type(value).__name__}.")
    images = _in_bytes(value[0], where, notices)
    split = split_from(images, value[1], where, section.layout, user_defined=True)
    found = () if groups is None else as_groups(groups, f"{where} {column}")
    if groups is not None and len(found) != len(split):
        raise DataError(f"{where}: every image has a group; got {len(split)} images and {len(found)} groups.")
    return replace(split, groups=found)


def _is_pair(value: Any) -> bool:
    return isinstance(value, tuple | list) and len(value) == 2


def _groups(part: Mapping[str, Any], column: str | None, where: str) -> Sequence[Any] | None:
    if column is not None and column not in part:
        keys = ", ".join(map(str, part)) or "nothing"
        raise DataError(f"{where}: `data.groups: {column}` needs `{column}` beside images and labels; got {keys}.")
    return None if column is None else part[column]


def _in_bytes(images: Any, where: str, notices: list[str]) -> Any:
    """Return floating-point images from 0 to 1 as uint8, and all others as they are."""
    if isinstance(images, tuple | list):
        return (_in_bytes(images[0], where, notices), *images[1:]) if images else images
    array = images.detach().cpu().numpy() if isinstance(images, torch.Tensor) else images
    if not isinstance(array, np.ndarray) or array.dtype.kind != "f" or not array.size:
        return images
    low, high = float(array.min()), float(array.max())
    if not 0 <= low <= high <= 1:
        raise DataError(
            f"{where} images must be uint8 from 0 to 255, or floating-point from 0 to 1; got {array.dtype} from "
            f"{low:g} to {high:g}. Leave a normalisation out: it is `data.mean` and `data.std`."
        )
    notices.append(f"{where}: {len(array):,} images of {array.dtype} from {low:g} to {high:g} were scaled to 0 … 255")
    return np.rint(array * WHITE).astype(np.uint8)
