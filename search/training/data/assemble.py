"""A data set from the parts that there are: missing ones are set apart from the training images."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from fusion_ops.errors import DataError
from search.training.data.class_values import ClassValues
from search.training.data.coverage import coverage
from search.training.data.dataset import Dataset, Split
from search.training.data.labels import Place, numbered
from search.training.data.learned import learned
from search.training.data.normalisation import normalisation
from search.training.data.notices import Notices
from search.training.settings import DataSection

__all__ = ["TEST_FRACTION", "TEST_SEED", "assembled", "stratified"]

TEST_FRACTION = 0.2
TEST_SEED = 20_260_101

logger = logging.getLogger(__name__)


def assembled(
    section: DataSection,
    classes: Sequence[str],
    train: Split,
    validation: Split | None = None,
    test: Split | None = None,
    *,
    notices: Sequence[str] = (),
    values: ClassValues | None = None,
    place: Place | None = None,
) -> Dataset:
    """Return the data set of these parts.

    Without a test part, 20 % of the training images become it, by a constant seed; without a validation part,
    `val_fraction` of what is left, by `seed`; of classification the share is taken of every class. The task is what
    labels show, or `data.task`; see `learned`. Images that are in two parts are logged as a warning.

    Args:
        section: The `data` section.
        classes: Names of the classes; none: their values.
        train: Training images.
        validation: Validation images, where the set has a part for them.
        test: Test images, likewise.
        notices: What a user has to know of how the images were read.
        values: Which value is which class, where labels are numbered by that already.
        place: From a part and an index in it to how messages call that label.

    Raises:
        DataError: What `Dataset` finds wrong, or too few images to divide.
    """
    given = {"train": train, "validation": validation, "test": test}
    there = {name: part for name, part in given.items() if part is not None}
    for name, part in there.items():
        if not part.images.numel():
            raise DataError(f"data set {section.name}: {name} is empty; got images {tuple(part.images.shape)}.")
    told = Notices()
    task, there = learned(section, there)
    names, there = numbered(there, classes, values or ClassValues(), told, place or _place(section))
    parts = _divided(section, there)
    try:
        dataset = Dataset(
            section.name,
            task,
            names,
            parts["train"],
            parts["validation"],
            parts["test"],
            *normalisation(parts["train"].images, told),
            (*notices, *told.told()),
        )
    except DataError as error:
        raise DataError(f"{section.path}: {error}" if section.path else str(error)) from None
    _warn_of_overlap(dataset)
    return replace(dataset, notices=(*dataset.notices, *coverage(dataset)))


def _place(section: DataSection) -> Place:
    return lambda part, index: f"data set {section.name}: {part} labels, image {index}"


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


def _divided(section: DataSection, parts: Mapping[str, Split]) -> dict[str, Split]:
    """Return all parts; those that are missing are set apart from the training images."""
    found = dict(parts)
    for name, fraction, seed in (
        ("test", TEST_FRACTION, TEST_SEED),
        ("validation", section.val_fraction, section.seed),
    ):
        if name not in found:
            found["train"], found[name] = _set_apart(section, found["train"], fraction, seed, name)
    return found


def _set_apart(section: DataSection, split: Split, fraction: float, seed: int, name: str) -> tuple[Split, Split]:
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
