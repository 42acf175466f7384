"""A data set from the parts that there are: missing ones are set apart from the training images."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from torch import Tensor

from fusion_ops.errors import DataError
from search.training.data.coverage import coverage
from search.training.data.dataset import IGNORED, Dataset, Split, Task, channel_statistics, constant_channels
from search.training.data.division import divided
from search.training.settings import DataSection

__all__ = ["assembled", "class_numbers"]

MOST_CLASSES = 100_000


def assembled(
    section: DataSection,
    classes: Sequence[str],
    train: Split,
    validation: Split | None = None,
    test: Split | None = None,
    *,
    notices: Sequence[str] = (),
) -> Dataset:
    """Return the data set of these parts; those that are missing are set apart from the training images.

    `divided` says how. Labels `(N,)` make it classification, masks segmentation, floating-point labels a task for a
    user-defined loss. Images that are in two parts are a notice.

    Args:
        section: The `data` section.
        classes: Names of the classes.
        train: Training images.
        validation: Validation images, where the set has a part for them.
        test: Test images, likewise.
        notices: What a user has to know of how the images were read.

    Raises:
        DataError: What `Dataset` finds wrong, or what `divided` does.
    """
    given = {"train": train, "validation": validation, "test": test}
    there = {name: part for name, part in given.items() if part is not None}
    for name, part in there.items():
        if not part.images.numel():
            raise DataError(f"data set {section.name}: {name} is empty; got images {tuple(part.images.shape)}.")
    parts, of_division = divided(section, there)
    try:
        told = (*notices, *of_division, *_overlaps(parts), *constant_channels(parts["train"].images))
        mean, std = channel_statistics(parts["train"].images)
        three = parts["train"], parts["validation"], parts["test"]
        dataset = Dataset(section.name, _task(train.labels), tuple(classes), *three, mean, std)
    except DataError as error:
        raise DataError(f"{section.path}: {error}" if section.path else str(error)) from None
    return replace(dataset, notices=(*told, *coverage(dataset)))


def class_numbers(splits: Iterable[Split]) -> list[str]:
    """Return names for classes that have none: `0` to the largest label; none where labels are floating-point."""
    splits = tuple(splits)
    if any(split.labels.is_floating_point() for split in splits):
        return []
    known = [split.labels[split.labels != IGNORED] if split.labels.ndim == 3 else split.labels for split in splits]
    largest = max((int(labels.max()) for labels in known if labels.numel()), default=-1)
    if largest >= MOST_CLASSES:
        raise DataError(f"labels are numbers of classes, from 0; got {largest}.")
    return [str(label) for label in range(largest + 1)]


def _task(labels: Tensor) -> Task:
    if labels.is_floating_point():
        return "user_defined"
    return "classification" if labels.ndim == 1 else "segmentation"


def _overlaps(parts: Mapping[str, Split]) -> Iterator[str]:
    """Yield a notice for each two parts that share images."""
    digests = {
        part: [hashlib.blake2b(image.numpy().tobytes(), digest_size=16).digest() for image in split.images]
        for part, split in parts.items()
    }
    for first, second in (("train", "validation"), ("train", "test"), ("validation", "test")):
        known = set(digests[first])
        shared = [index for index, digest in enumerate(digests[second]) if digest in known]
        if shared:
            yield (
                f"{len(shared)} images of {second} are in {first}, too (the first is image "
                f"{shared[0]} of {second}); what is measured on them is too good"
            )
