"""A data set from the parts that there are: missing ones are set apart from the training images."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from fusion_ops.errors import DataError
from search.training.data.coverage import coverage
from search.training.data.dataset import IGNORED, Dataset, Split, channel_statistics, constant_channels
from search.training.data.learned import learned
from search.training.settings import DataSection

__all__ = ["TEST_FRACTION", "TEST_SEED", "assembled", "class_numbers", "stratified"]

TEST_FRACTION = 0.2
TEST_SEED = 20_260_101
MOST_CLASSES = 100_000

logger = logging.getLogger(__name__)


def assembled(
    section: DataSection,
    classes: Sequence[str],
    train: Split,
    validation: Split | None = None,
    test: Split | None = None,
    *,
    notices: Sequence[str] = (),
) -> Dataset:
    """Return the data set of these parts.

    Without a test part, 20 % of the training images become it, by a constant seed; without a validation part,
    `val_fraction` of what is left, by `seed`; of classification the share is taken of every class. The task is what
    labels show, or `data.task`; see `learned`. Images that are in two parts are logged as a warning.

    Args:
        section: The `data` section.
        classes: Names of the classes; none: their numbers.
        train: The training part.
        validation: The validation part.
        test: The test part.
        notices: What was done to them, a sentence each.

    Raises:
        DataError: What `Dataset` finds wrong, or too few images to divide.
    """
    there = {"train": train, "validation": validation, "test": test}
    task, parts = learned(section, {name: part for name, part in there.items() if part is not None})
    if "test" not in parts:
        parts["train"], parts["test"] = _divided(section, parts["train"], TEST_FRACTION, TEST_SEED, "test")
    if "validation" not in parts:
        fraction, seed = section.val_fraction, section.seed
        parts["train"], parts["validation"] = _divided(section, parts["train"], fraction, seed, "validation")
    for name, part in parts.items():
        if not part.images.numel():
            raise DataError(f"data set {section.name}: {name} is empty; got images {tuple(part.images.shape)}.")
    names = tuple(classes) or tuple(class_numbers(parts.values()))
    try:
        told = (*notices, *constant_channels(parts["train"].images))
        mean, std = channel_statistics(parts["train"].images)
        dataset = Dataset(section.name, task, classes=names, mean=mean, std=std, **parts)
    except DataError as error:
        raise DataError(f"{section.path}: {error}" if section.path else str(error)) from None
    _warn_of_overlap(dataset)
    return replace(dataset, notices=(*told, *coverage(dataset)))


def class_numbers(splits: Iterable[Split]) -> list[str]:
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


def _divided(section: DataSection, split: Split, fraction: float, seed: int, name: str) -> tuple[Split, Split]:
    indices = np.arange(len(split))
    by_class = split.labels.dtype == torch.int64 and split.labels.ndim == 1
    labels = split.labels.numpy() if by_class else np.zeros(len(split), dtype=np.int64)
    rest, part = stratified(labels, indices, fraction, seed) if len(indices) else (indices, indices)
    if not len(rest) or not len(part):
        hint = ", or change `data.val_fraction`" if name == "validation" else ""
        raise DataError(
            f"data set {section.name}: {len(split)} images are too few to set {100 * fraction:g}% of every class apart "
            f"as {name}; add images or a {name} part{hint}."
        )
    kept, taken = (split.at(torch.from_numpy(index)) for index in (rest, part))
    return kept, taken


def _warn_of_overlap(dataset: Dataset) -> None:
    digests = {
        part: [hashlib.blake2b(image.numpy().tobytes(), digest_size=16).digest() for image in split.images]
        for part, split in dataset.parts.items()
    }
    for first, second in (("train", "validation"), ("train", "test"), ("validation", "test")):
        known = set(digests[first])
        shared = [index for index, digest in enumerate(digests[second]) if digest in known]
        if shared:
            logger.warning(
                "data set %s: %d images of %s are in %s, too (the first is image %d of %s); what is measured on them "
                "is too good.",
                dataset.name, len(shared), second, first, shared[0], second,
            )  # fmt: skip
