"""Groups of images that stay together, such as those of one patient or one scene: to which group an image belongs.

A network that has seen one image of a patient knows more of the others than of a stranger's, so that images of one
group in two parts make what is measured too good.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from fusion_ops.errors import DataError, SpecError, described
from search.training.data.dataset import Split
from search.training.data.division.division_file import by_image
from search.training.settings import DataSection
from spaces.importing import imported

__all__ = ["as_groups", "group_source_file", "held_apart", "straddling", "whole_groups", "with_groups"]

PASSES = 10
SHOWN = 3


def with_groups(section: DataSection, parts: Mapping[str, Split], hidden: Sequence[str] = ()) -> dict[str, Split]:
    """Return the parts of a set with the group of every image, as `data.groups` says; as they are without that key.

    Args:
        section: The `data` section.
        parts: The parts, with names.
        hidden: Names of images that are left out, of which a file may say something.

    Raises:
        DataError: The set has no such column, the file or the function is wrong, or an image has no group.
    """
    if section.groups is None:
        return {part: replace(split, groups=()) for part, split in parts.items()}
    if section.group_column is not None:
        _require_column(section, parts)
        return dict(parts)
    names = [name for split in parts.values() for name in split.names]
    groups = iter(_from_file(section, names, hidden) or _from_function(section, names))
    return {part: replace(split, groups=tuple(next(groups) for _ in split.names)) for part, split in parts.items()}


def as_groups(values: Sequence[Any] | NDArray[Any] | Tensor, where: str) -> tuple[str, ...]:
    """Return the values of a column as names of groups.

    Raises:
        DataError: An image has none; the message begins with `where`.
    """
    plain = values.tolist() if isinstance(values, Tensor | np.ndarray) else list(values)
    for index, value in enumerate(plain):
        if value is None or value != value or str(value) == "":
            raise DataError(f"{where}, image {index}: every image has a group; got {value!r}.")
    return tuple(map(str, plain))


def whole_groups(labels: Tensor, groups: Sequence[str], fraction: float, seed: int) -> NDArray[np.bool_]:
    """Return which images form a part of whole groups, with about `fraction` of all images and of every class.

    A group joins the part where that brings the shares of the classes and of the images, taken together, nearer to
    `fraction`, the largest group first; then each that would do so by changing its side does, until none would. At
    least one group is in the part, and one is not.

    Args:
        labels: Of classes, `(N,)` or, where an image may have several, `(N, K)` of 0 and 1; of any others only the
            number of images counts.
        groups: Group of every image, at least two.
        fraction: The share.
        seed: Which groups are looked at first, among such as are equally large.
    """
    names, index = np.unique(np.asarray(groups), return_inverse=True)
    shares = _shares(labels, index, len(names))
    weights = np.full(shares.shape[1], 1 / max(1, shares.shape[1] - 1))
    weights[-1] = 1.0
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(names))
    order = order[np.argsort(-(shares[order] ** 2 @ weights), kind="stable")]
    inside = np.zeros(len(names), dtype=bool)
    total = np.zeros(shares.shape[1])
    for _ in range(PASSES):
        before = inside.copy()
        for group in order:
            changed = total - shares[group] if inside[group] else total + shares[group]
            if ((changed - fraction) ** 2) @ weights < ((total - fraction) ** 2) @ weights:
                total, inside[group] = changed, not inside[group]
        if np.array_equal(before, inside):
            break
    if not inside.any() or inside.all():
        least = int(np.argmin(shares[:, -1]))
        inside[least] = not inside[least]
    return inside[index]


def _shares(labels: Tensor, index: NDArray[np.int64], count: int) -> NDArray[np.float64]:
    """Return by group its share of each class and, last, of all images, `(G, K + 1)`."""
    values = labels.numpy()
    classes = np.zeros((count, 0))
    if values.dtype.kind in "iu" and values.ndim == 1:
        present, numbers = np.unique(values, return_inverse=True)
        classes = np.zeros((count, len(present)))
        np.add.at(classes, (index, numbers), 1)
    elif values.dtype.kind in "iu" and values.ndim == 2:
        classes = np.zeros((count, values.shape[1]))
        np.add.at(classes, index, values)
    counts = np.column_stack([classes, np.bincount(index, minlength=count)])
    shares: NDArray[np.float64] = counts / np.maximum(counts.sum(axis=0), 1)
    return shares


def straddling(section: DataSection, parts: Mapping[str, Split]) -> str:
    """Return a notice of groups that are in more than one part; empty where there are none."""
    where: dict[str, dict[str, int]] = {}
    for part, split in parts.items():
        for group in split.groups:
            counts = where.setdefault(group, {})
            counts[part] = counts.get(part, 0) + 1
    several = {group: counts for group, counts in where.items() if len(counts) > 1}
    if not several:
        return ""
    images = sum(sum(counts.values()) for counts in several.values())
    first = next(iter(several))
    shown = " and ".join(f"{count} in {part}" for part, count in several[first].items())
    return (
        f"{len(several)} of {len(where)} groups of `data.groups: {section.groups}` are in "
        f"more than one part, as the parts are given, with {images:,} images (`{first}`: {shown}); what is measured on "
        "them is too good; `data.split` can give whole groups to one part"
    )


def held_apart(section: DataSection, parts: Mapping[str, Split]) -> str:
    """Return a notice of how many groups and images each part has."""
    groups = len({group for split in parts.values() for group in split.groups})
    each = (
        f"{part} {_counted(len(set(split.groups)), 'group')} of {_counted(len(split), 'image')}"
        for part, split in parts.items()
    )
    return (
        f"{_counted(groups, 'group')} of `data.groups: {section.groups}` held apart, none in "
        f"two parts: {', '.join(each)}"
    )


def group_source_file(section: DataSection) -> Path | None:
    """Return the file with the function that `data.groups` names; `None` where that is in none that workers have.

    Raises:
        DataError: The function does not import.
    """
    module = getattr(_function(section), "__module__", None)
    file = getattr(sys.modules.get(module or ""), "__file__", None)
    return None if module == "__main__" or file is None else Path(file)


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _require_column(section: DataSection, parts: Mapping[str, Split]) -> None:
    if all(len(split.groups) == len(split) for split in parts.values()):
        return
    raise DataError(
        f"data set {section.name} has no columns, so that `data.groups: {section.groups}` names nothing; write a CSV "
        "file of images and groups, `NAME.csv`, or `module:function`."
    )


def _from_file(section: DataSection, names: Sequence[str], hidden: Sequence[str]) -> list[str]:
    if "groups" not in section.division_files:
        return []
    path = Path(section.division_files["groups"]).expanduser()
    found = by_image(path, "groups", (*names, *hidden))
    missing = [name for index, name in enumerate(names) if index not in found]
    if missing:
        shown = ", ".join(missing[:SHOWN])
        raise DataError(
            f"`data.groups`: {path} has no group for {len(missing):,} of {len(names):,} images, such as {shown}; add a "
            "line for each, with a group of its own where it belongs to none."
        )
    return [found[index][0] for index in range(len(names))]


def _from_function(section: DataSection, names: Sequence[str]) -> list[str]:
    function, groups = _function(section), []
    for name in names:
        try:
            group = function(name)
        except Exception as error:
            raise DataError(
                f"`data.groups`: `{section.groups}` failed for image `{name}`: {described(error)}"
            ) from error
        if isinstance(group, bool) or not isinstance(group, str | int | np.integer) or group == "":
            raise DataError(
                f"`data.groups`: `{section.groups}` must return a group, text or a whole number, for the name of an "
                f"image; got {group!r} for `{name}`."
            )
        groups.append(str(group))
    return groups


def _function(section: DataSection) -> Callable[[str], Any]:
    try:
        function: Callable[[str], Any] = imported(str(section.groups))
    except SpecError as error:
        raise DataError(f"`data.groups`: {error}") from None
    if not callable(function):
        raise DataError(f"`data.groups`: `{section.groups}` must be a function; got {type(function).__name__}.")
    return function
