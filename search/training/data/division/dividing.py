"""The three parts of a set: those that it has, or those of a file, and what is set apart from the training images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fusion_ops.errors import DataError
from search.training.data.cache import files_state
from search.training.data.dataset import IGNORED, PART_NAMES, Split
from search.training.data.division.division_file import by_image
from search.training.data.division.groups import group_source_file, held_apart, straddling, whole_groups, with_groups
from search.training.settings import DataSection

__all__ = ["TEST_FRACTION", "TEST_SEED", "divided", "division_state", "named", "stratified", "without_labels"]

TEST_FRACTION = 0.2
TEST_SEED = 20_260_101
NO_LABEL = -1
SHOWN = 3


def named(given: Mapping[str, Split]) -> dict[str, Split]:
    """Return the parts with a name for every image: its index, after the part where there are several."""
    several = len(given) > 1
    return {
        part: split
        if split.names
        else replace(split, names=tuple(f"{part}/{index}" if several else str(index) for index in range(len(split))))
        for part, split in given.items()
    }


def without_labels(given: Mapping[str, Split]) -> tuple[dict[str, Split], Split | None]:
    """Return the parts without a test part of which no image has a label, and that part.

    It has −1 throughout, or NaN; masks have 255 throughout.
    """
    test = given.get("test")
    if test is None or not len(test) or not _is_unknown(test.labels).all():
        return dict(given), None
    return {part: split for part, split in given.items() if part != "test"}, test


def divided(
    section: DataSection, given: Mapping[str, Split], hidden: Split | None
) -> tuple[dict[str, Split], list[str]]:
    """Return the parts `train`, `validation` and `test` of a set, and what a user has to know of them.

    `data.split` says to which part an image belongs; without it the parts are those given. Without a test part, 20 % of
    the training images become it, by a constant seed; without a validation part, `val_fraction` of what is left, by
    `seed`. Shares are taken of every class, and of whole groups where there are groups. Where the set has a test part
    without labels, the test part is empty.

    Args:
        section: The `data` section.
        given: The parts that there are, at least `train`, with names and labels.
        hidden: The test part, where no image of it has a label.

    Raises:
        DataError: A file or a group is wrong, or there are too few images or groups to divide.
    """
    parts = with_groups(section, given, () if hidden is None else hidden.names)
    notices = [] if hidden is None else [_left_out(hidden)]
    if section.split is not None:
        parts = _by_file(section, parts, hidden)
    notices.append(straddling(section, parts))
    if "test" not in parts and (hidden is None or section.split is not None):
        parts |= _set_apart(section, parts["train"], TEST_FRACTION, TEST_SEED, "test")
    if "validation" not in parts:
        parts |= _set_apart(section, parts["train"], section.val_fraction, section.seed, "validation")
    if section.groups is not None and not notices[-1]:
        notices.append(held_apart(section, parts))
    parts.setdefault("test", parts["train"].at(slice(0, 0)))
    return {part: replace(parts[part], names=(), groups=()) for part in PART_NAMES}, list(filter(None, notices))


def division_state(section: DataSection) -> list[Any] | None:
    """Return what the division is made from, beside the settings: files with sizes and times of change.

    `None` where that cannot be told: groups come from a function that is in no module.

    Raises:
        DataError: There is no such file or function.
    """
    files = [_existing(key, file) for key, file in section.division_files.items()]
    if section.group_function is not None:
        source = group_source_file(section)
        if source is None:
            return None
        files.append(source)
    return [files_state(file) for file in files]


def _existing(key: str, file: str) -> Path:
    path = Path(file).expanduser()
    if not path.is_file():
        raise DataError(f"`data.{key}`: {path.absolute()} cannot be read (No such file).")
    return path


def stratified(
    labels: NDArray[np.int64], indices: NDArray[np.int64], fraction: float, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Divide `indices` of all images into the rest and a part with `fraction` of every class, both ascending."""
    rng = np.random.default_rng(seed)
    chosen = []
    for label in np.unique(labels[indices]):
        members = rng.permutation(indices[labels[indices] == label])
        chosen.append(members[: round(fraction * len(members))])
    part = np.sort(np.concatenate(chosen))
    return np.setdiff1d(indices, part), part


def _is_unknown(labels: Tensor) -> Tensor:
    if labels.is_floating_point():
        return labels.isnan() | (labels == NO_LABEL)
    return labels == (IGNORED if labels.dtype == torch.uint8 else NO_LABEL)


def _left_out(unlabelled: Split) -> str:
    return (
        f"none of the {len(unlabelled):,} test images has a label, so they are left out; a "
        "search does not need them, `retrain` does"
    )


def _by_file(section: DataSection, parts: Mapping[str, Split], unlabelled: Split | None) -> dict[str, Split]:
    """Return the parts that the file `data.split` names.

    Raises:
        DataError: The file is wrong, names no training image, or an image that has no label, or lacks one that has.
    """
    path, whole = Path(str(section.split)).expanduser(), _joined(list(parts.values()))
    names = (*whole.names, *(unlabelled.names if unlabelled else ()))
    places: dict[str, list[int]] = {}
    found = by_image(path, "split", names)
    for index, (word, line) in found.items():
        part = next((part for part, words in PART_NAMES.items() if word in words), None)
        if part is None:
            raise DataError(f"`data.split`: {path}:{line}: a part is {', '.join(PART_NAMES)}; got `{word}`.")
        if index >= len(whole):
            raise DataError(f"`data.split`: {path}:{line}: image `{names[index]}` has no label; leave the line out.")
        places.setdefault(part, []).append(index)
    missing = [name for index, name in enumerate(whole.names) if index not in found]
    if missing:
        raise DataError(
            f"`data.split`: {path} does not say to which part {len(missing):,} of {len(whole):,} images belong, such "
            f"as {', '.join(missing[:SHOWN])}; add a line for each."
        )
    if "train" not in places:
        raise DataError(f"`data.split`: {path} names no image for `train`; it names {', '.join(places)}.")
    return {part: whole.at(torch.tensor(sorted(indices))) for part, indices in places.items()}


def _joined(splits: Sequence[Split]) -> Split:
    """Return the images of several parts as one."""
    shapes = {tuple(split.images.shape[1:]) for split in splits}
    if len(shapes) > 1:
        raise DataError(f"all images have one shape; got {', '.join(map(str, sorted(shapes)))}.")
    kinds = {str([tuple(one.shape[1:]) for one in (split.labels, *split.others)]) for split in splits}
    if len(kinds) > 1:
        raise DataError(f"labels and further inputs have one shape in all parts; got {' and '.join(sorted(kinds))}.")
    return Split(
        torch.cat([split.images for split in splits]),
        torch.cat([split.labels for split in splits]),
        tuple(map(torch.cat, zip(*(split.others for split in splits), strict=True))),
        tuple(name for split in splits for name in split.names),
        tuple(group for split in splits for group in split.groups),
    )


def _set_apart(section: DataSection, split: Split, fraction: float, seed: int, part: str) -> dict[str, Split]:
    """Return what is left of the training images, and the part that is taken of them."""
    chosen = _chosen(section, split, fraction, seed, part)
    if chosen.all() or not chosen.any():
        hint = ", or change `data.val_fraction`" if part == "validation" else ""
        raise DataError(
            f"data set {section.name}: {len(split)} images are too few to set {100 * fraction:g}% of every class apart "
            f"as {part}; add images or a {part} part{hint}."
        )
    return {"train": split.at(_indices(~chosen)), part: split.at(_indices(chosen))}


def _chosen(section: DataSection, split: Split, fraction: float, seed: int, part: str) -> NDArray[np.bool_]:
    if section.groups is not None:
        groups = len(set(split.groups))
        if groups < 2:
            raise DataError(
                f"data set {section.name}: {part} takes whole groups of `data.groups: {section.groups}` from the "
                f"training images, which have {groups}; it needs two. Add groups, or give the parts by `data.split`."
            )
        return whole_groups(split.labels, split.groups, fraction, seed)
    by_class = split.labels.ndim == 1 and not split.labels.is_floating_point()
    labels = split.labels.numpy() if by_class else np.zeros(len(split), dtype=np.int64)
    _, taken = stratified(labels, np.arange(len(split)), fraction, seed)
    chosen = np.zeros(len(split), dtype=bool)
    chosen[taken] = True
    return chosen


def _indices(chosen: NDArray[np.bool_]) -> Tensor:
    return torch.from_numpy(np.flatnonzero(chosen))
