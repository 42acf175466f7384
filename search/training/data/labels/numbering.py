"""Labels as they are in files, text or numbers from anywhere, made numbers of classes from 0."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fusion_ops.errors import DataError, nearest
from search.training.data.dataset import IGNORED, Split
from search.training.data.labels.class_values import ClassValues
from search.training.data.notices import Notices

__all__ = ["NO_LABEL", "Place", "coded", "numbered"]

Place = Callable[[str, int], str]
NO_LABEL = -1
MOST_CLASSES = 100_000
SHOWN = 8


def coded(labels: Mapping[str, Any], values: ClassValues, place: Place) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return labels that are text, or whose values `data.classes` lists, as numbers; and the names of the classes.

    Text becomes classes in the order of the alphabet, or in that of `data.classes`. All other labels stay as they are,
    without names but those of `data.classes`.

    Args:
        labels: By part, an array or a list.
        values: `data.classes`.
        place: From a part and an index in it to how messages call that label.

    Raises:
        DataError: A label is empty, or of no class.
    """
    given = labels
    labels = {part: _without_column(found) for part, found in labels.items()}
    if any(map(_is_text, labels.values())):
        for part, found in labels.items():
            if np.ndim(found) != 1:
                raise DataError(f"{place(part, 0)}: labels that are text are (N,); got {np.shape(found)}.")
        return _coded_text({part: _texts(found) for part, found in labels.items()}, values, place)
    if not values.given:
        return dict(given), values.names
    wide = next((part for part, found in labels.items() if np.ndim(found) == 2), None)
    if wide is not None:
        raise DataError(
            f"{place(wide, 0)}: labels (N, K) have a column a class, so `data.classes` is a list of K names, for "
            f"example [{', '.join(values.names)}]; got a mapping from names to values."
        )
    if any(np.ndim(found) != 1 for found in labels.values()):
        return dict(labels), values.names
    return {part: _numbers(found, values, part, place) for part, found in labels.items()}, values.names


def _coded_text(
    labels: Mapping[str, list[Any]], values: ClassValues, place: Place
) -> tuple[dict[str, Any], tuple[str, ...]]:
    for part, found in labels.items():
        if "" in found:
            raise DataError(f"{place(part, found.index(''))}: a label is empty; fill it in, or leave the image out.")
    if values.given:
        return {part: _numbers(found, values, part, place) for part, found in labels.items()}, values.names
    names = values.names or tuple(sorted({label for found in labels.values() for label in found if label != NO_LABEL}))
    by_name = ClassValues({name: name for name in names})
    return {part: _numbers(found, by_name, part, place) for part, found in labels.items()}, names


def _numbers(labels: Any, values: ClassValues, part: str, place: Place) -> Any:
    """Return the numbers of the classes of one part's labels; −1, of no class, stays."""
    plain = labels.tolist() if isinstance(labels, np.ndarray | Tensor) else list(labels)
    known = {**values.given, NO_LABEL: NO_LABEL}
    wrong = next((index for index, label in enumerate(plain) if label not in known), None)
    if wrong is not None:
        listed = [str(value) for value in values.given]
        hint = nearest(plain[wrong], listed) if isinstance(plain[wrong], str) else ""
        known_ones = hint or f"; it has {', '.join(listed[:20])}."
        raise DataError(f"{place(part, wrong)}: `data.classes` has no label {plain[wrong]!r}{known_ones}")
    return np.array([known[label] for label in plain], dtype=np.int64)


def _without_column(labels: Any) -> Any:
    """Return text and whole numbers `(N, 1)` as `(N,)`."""
    whole = isinstance(labels, np.ndarray | Tensor) and not str(labels.dtype).removeprefix("torch.").startswith("float")
    return labels[:, 0] if whole and labels.ndim == 2 and labels.shape[1] == 1 else labels


def _is_text(labels: Any) -> bool:
    if isinstance(labels, np.ndarray):
        return labels.dtype.kind in "US"
    return isinstance(labels, list | tuple) and len(labels) > 0 and all(isinstance(one, str) for one in labels)


def _texts(labels: Any) -> list[Any]:
    """Return labels as text, and those of a part of which none is known as they are."""
    plain = labels.tolist() if isinstance(labels, np.ndarray | Tensor) else list(labels)
    if not _is_text(labels) and all(one == NO_LABEL for one in plain):
        return plain
    return [one.decode("utf-8", "replace") if isinstance(one, bytes) else str(one) for one in plain]


def numbered(
    splits: Mapping[str, Split], names: Sequence[str], values: ClassValues, notices: Notices, place: Place
) -> tuple[tuple[str, ...], dict[str, Split]]:
    """Return the names of the classes, and the parts with labels from 0.

    - Labels, or masks, of which the whole set has 1 … K and no 0, and K names or none: 1 is the first class.
    - Masks of nothing but 0 and 255, and two names or none: 255 is the second class.

    Either is told. What `data.classes` has given values for is numbered already. Without names, a class is called by
    its value.

    Args:
        splits: The parts, with labels `(N,)`, masks `(N, H, W)`, or floating-point labels, which stay as they are.
        names: Names of the classes, or none.
        values: `data.classes`.
        notices: Where it is told.
        place: From a part and an index in it to how messages call that image.

    Raises:
        DataError: A mask has a value of no class.
    """
    labels = [split.labels for split in splits.values()]
    if values.given or any(one.is_floating_point() or one.ndim not in (1, 3) for one in labels):
        return tuple(names or _class_numbers(splits.values())), dict(splits)
    if labels[0].ndim == 1:
        return _labels_from_0(splits, names, notices)
    return _masks_from_0(splits, names, values, notices, place)


def _labels_from_0(
    splits: Mapping[str, Split], names: Sequence[str], notices: Notices
) -> tuple[tuple[str, ...], dict[str, Split]]:
    # A part of which nothing is known says nothing of the others.
    known = [split.labels for split in splits.values() if len(split) and bool((split.labels != NO_LABEL).any())]
    low, high = (min(int(one.min()) for one in known), max(int(one.max()) for one in known)) if known else (0, 0)
    found = tuple(names or _class_numbers(splits.values()))
    if low != 1 or (names and high != len(names)):
        if not names:
            _tell_of_gaps("labels", sorted({label for one in known for label in torch.unique(one).tolist()}), notices)
        return found, dict(splits)
    notices.say(f"labels are 1 … {high} and none is 0: 1 is the first class{_to_keep_0(high)}")
    shifted = {part: split.labels - (split.labels != NO_LABEL).long() for part, split in splits.items()}
    return tuple(names or found[1:]), _relabelled(splits, shifted)


def _masks_from_0(
    splits: Mapping[str, Split], names: Sequence[str], values: ClassValues, notices: Notices, place: Place
) -> tuple[tuple[str, ...], dict[str, Split]]:
    there = sorted(set().union(*(_present(split.labels) for split in splits.values())))
    classes = [value for value in there if value != IGNORED]
    if there == [0, IGNORED] and IGNORED not in values.unknown and len(names) in (0, 2):
        named = tuple(names or ("0", "255"))
        notices.say(f"masks have the values 0 and 255 only: 255 is not unknown here, but the class `{named[1]}`")
        return named, _relabelled(splits, {part: split.labels.clamp(max=1) for part, split in splits.items()})
    if classes[:1] == [1] and (not names or classes[-1] == len(names)):
        notices.say(
            f"masks have the values 1 … {classes[-1]} and none is 0: 1 is the first class{_to_keep_0(classes[-1])}"
        )
        lower = {part: torch.where(one.labels == IGNORED, IGNORED, one.labels - 1) for part, one in splits.items()}
        return tuple(names or map(str, range(1, classes[-1] + 1))), _relabelled(splits, lower)
    found = tuple(names or _class_numbers(splits.values()))
    _require_classes(splits, found, classes, place)
    if not names:
        _tell_of_gaps("masks, in which 255 is unknown,", classes, notices)
    return found, dict(splits)


def _tell_of_gaps(what: str, there: Sequence[int], notices: Notices) -> None:
    """Tell where fewer values than numbers of classes are there, and how to name those that are."""
    if there and len(there) <= max(there):
        few = there[:SHOWN]
        named = ", ".join([f"class{value}: {value}" for value in few] + ["…"] * (len(there) > SHOWN))
        notices.say(
            f"{what} have {len(there)} values from {there[0]} to {there[-1]}, counted as {there[-1] + 1} classes; "
            f"`data.classes: {{{named}}}` has only those that there are"
        )


def _to_keep_0(high: int) -> str:
    return f"; name {high + 1} classes in `data.classes` to keep 0 as a class without images"


def _present(masks: Tensor) -> set[int]:
    """Return the values of masks."""
    return {
        value for mask in masks for value in torch.bincount(mask.flatten(), minlength=1).nonzero().flatten().tolist()
    }


def _relabelled(splits: Mapping[str, Split], labels: Mapping[str, Tensor]) -> dict[str, Split]:
    return {part: replace(split, labels=labels[part]) for part, split in splits.items()}


def _one_class(splits: Mapping[str, Split], classes: Sequence[int]) -> str:
    unknown = any(bool((split.labels == IGNORED).any()) for split in splits.values())
    if classes and unknown:
        return (
            f"all masks have only the class {classes[0]} (255 is unknown), so nothing can be learned. Say which value "
            f"is which class, such as `data.classes: {{background: {classes[0]}, object: 255}}`."
        )
    only = classes[0] if classes else f"{IGNORED}, unknown pixels"
    return f"all masks have nothing but {only}, so nothing can be learned; look at how they were saved."


def _require_classes(splits: Mapping[str, Split], names: Sequence[str], classes: Sequence[int], place: Place) -> None:
    """Check that masks have only values of classes, and more than one."""
    if len(classes) < 2:
        raise DataError(f"{place(next(iter(splits)), 0)}: {_one_class(splits, classes)}")
    for part, split in splits.items():
        wrong = ((split.labels >= len(names)) & (split.labels != IGNORED)).nonzero()
        if len(wrong):
            image, row, column = map(int, wrong[0])
            value = int(split.labels[image, row, column])
            raise DataError(
                f"{place(part, image)}, row {row}, column {column}: classes are 0 … {len(names) - 1}, or 255 where "
                f"nothing is known; got {value}. Name all classes, or say which value is which, "
                f"`data.classes: {{name: {value}}}`, and list what is unknown in `data.unknown`."
            )


def _class_numbers(splits: Iterable[Split]) -> list[str]:
    """Return names for classes that have none: `0` to the largest label, or a number a column of labels `(N, K)`.

    There are none where labels are floating-point.
    """
    splits = tuple(splits)
    if any(split.labels.is_floating_point() for split in splits):
        return []
    columns = next((split.labels.shape[1] for split in splits if split.labels.ndim == 2), None)
    if columns is not None:
        return [str(column) for column in range(columns)]
    known = [split.labels[split.labels != IGNORED] if split.labels.ndim == 3 else split.labels for split in splits]
    largest = max((int(labels.max()) for labels in known if labels.numel()), default=-1)
    if largest >= MOST_CLASSES:
        raise DataError(f"labels are numbers of classes, from 0; got {largest}.")
    return [str(label) for label in range(largest + 1)]
