"""Labels that are lists, as columns: the classes of an image by number or by name, 0 and 1 for each, or values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from fusion_ops.errors import DataError, nearest

__all__ = ["are_lists", "columns"]

Lists = Mapping[str, Sequence[Any]]
Place = Callable[[str, int], str]


def are_lists(labels: Lists) -> bool:
    """Return whether labels of the parts of a set are lists."""
    return any(isinstance(label, list | tuple) for part in labels.values() for label in part)


def columns(
    labels: Lists, names: Sequence[str], place: Place, given: Mapping[Any, int] | None = None, *, values: bool = False
) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Return labels `(N, K)`, and the names of the classes as far as there are some.

    - Lists with a fraction are values: float32, all of one length.
    - Lists of text are the names of an image's classes, in the order of `names`, else of the alphabet: int64, 0 and 1.
    - Lists of 0 and 1, all of one length, in some of which a number stands twice, have an entry a class: int64.
    - All other lists of whole numbers are the numbers of an image's classes: int64, 0 and 1. An image may have none.

    Args:
        labels: By part, a list an image.
        names: Names of the classes; none where the set notes none.
        place: From a part and an index in it to how messages call that label.
        given: The number of the class, by value, where the user gave some.
        values: Whether lists of whole numbers are values to predict.

    Raises:
        DataError: A label is no list of one kind, or a class is unknown.
    """
    kind = _kind(labels, place)
    if given and kind is not float:
        return {part: _hot(found, given, len(given), part, place) for part, found in labels.items()}, tuple(names)
    rows = [row for part in labels.values() for row in part]
    if kind is float or (values and kind is int) or (not names and kind is int and _are_bits(rows)):
        _require_one_length(labels, place)
        dtype = torch.float32 if kind is float or values else torch.int64
        return {part: torch.tensor(list(found), dtype=dtype) for part, found in labels.items()}, tuple(names)
    if kind is str:
        names = names or sorted({name for row in rows for name in row})
        known = {name: number for number, name in enumerate(names)}
        return {part: _hot(found, known, len(names), part, place) for part, found in labels.items()}, tuple(names)
    count = len(names) or max((max(row) for row in rows if row), default=-1) + 1
    numbers = {number: number for number in range(count)}
    return {part: _hot(found, numbers, count, part, place) for part, found in labels.items()}, tuple(names)


def _kind(labels: Lists, place: Place) -> type:
    """Return what all lists hold: text, whole numbers, or numbers."""
    kinds: set[type] = set()
    for part, found in labels.items():
        for index, row in enumerate(found):
            here = {type(one) for one in row} if isinstance(row, list | tuple) else {type(None)}
            if not (here <= {str} or here <= {int, bool} or here <= {int, float}):
                raise DataError(f"{place(part, index)}: labels are lists of numbers or of text; got {row!r}.")
            kinds |= here
            if str in kinds and len(kinds) > 1:
                raise DataError(f"{place(part, index)}: labels are of one kind; got {row!r}, and others before.")
    return str if str in kinds else float if float in kinds else int


def _are_bits(rows: Sequence[Sequence[int]]) -> bool:
    """Return whether lists have a 0 or 1 for each class, which no lists of different numbers have."""
    same = len({len(row) for row in rows}) == 1
    return same and all(one in (0, 1) for row in rows for one in row) and any(len(set(row)) < len(row) for row in rows)


def _require_one_length(labels: Lists, place: Place) -> None:
    length = len(next(row for part in labels.values() for row in part))
    for part, found in labels.items():
        other = next((index for index, row in enumerate(found) if len(row) != length), None)
        if other is not None:
            raise DataError(
                f"{place(part, other)}: lists of values have one length; got {len(found[other])}, and {length} before."
            )


def _hot(rows: Sequence[Sequence[Any]], known: Mapping[Any, int], count: int, part: str, place: Place) -> Tensor:
    """Return a column a class, 1 where the image has it."""
    labels = torch.zeros(len(rows), count, dtype=torch.int64)
    for index, row in enumerate(rows):
        wrong = next((one for one in row if one not in known), None)
        if wrong is not None:
            listed = [str(name) for name in known]
            hint = nearest(str(wrong), listed) if isinstance(wrong, str) else _numbers(listed)
            raise DataError(f"{place(part, index)}: there is no class {wrong!r}{hint or '.'}")
        labels[index, [known[one] for one in row]] = 1
    return labels


def _numbers(listed: Sequence[str]) -> str:
    whole = listed == [str(number) for number in range(len(listed))]
    return f"; they are 0 … {len(listed) - 1}" if whole else f"; there are {', '.join(listed[:20])}."
