"""A data set from the parts that there are: missing ones are set apart from the training images."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from fusion_ops.errors import DataError
from search.training.data.coverage import coverage
from search.training.data.dataset import Dataset, Split
from search.training.data.division.dividing import divided, named, without_labels
from search.training.data.labels.class_values import ClassValues
from search.training.data.labels.learned import column_names, learned
from search.training.data.labels.numbering import Place, numbered
from search.training.data.normalisation import normalisation
from search.training.data.notices import Notices
from search.training.settings import DIVIDING, DataSection

__all__ = ["assembled"]


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
    """Return the data set of these parts; those that are missing are set apart from the training images.

    A test part of which no image has a label is left out; `divided` says how the others come about. The task is what
    labels show, or `data.task`; see `learned`. Images that are in two parts are a notice.

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
        DataError: What `Dataset` finds wrong, or what `divided` does.
    """
    given = {"train": train, "validation": validation, "test": test}
    there = {name: part for name, part in given.items() if part is not None}
    for name, part in there.items():
        if not part.images.numel():
            raise DataError(f"data set {section.name}: {name} is empty; got images {tuple(part.images.shape)}.")
    told = Notices()
    there, hidden = without_labels(named(there))
    classes = column_names(section, classes, there)
    task, there = learned(section, there)
    names, there = numbered(there, classes, values or ClassValues(), told, place or _place(section))
    parts, of_division = divided(section, there, hidden)
    try:
        dataset = Dataset(
            section.name,
            task,
            names,
            parts["train"],
            parts["validation"],
            parts["test"],
            *normalisation(parts["train"].images, told, notices),
            (*notices, *told.told(), *of_division, *_overlaps(parts)),
            tuple(key for key in DIVIDING if getattr(section, key) is not None),
        )
    except DataError as error:
        raise DataError(f"{section.path}: {error}" if section.path else str(error)) from None
    return replace(dataset, notices=(*dataset.notices, *coverage(dataset)))


def _place(section: DataSection) -> Place:
    return lambda part, index: f"data set {section.name}: {part} labels, image {index}"


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
