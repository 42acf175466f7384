"""Which classes have no image to train on, to validate on or to test on."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from search.training.data.dataset import Dataset, images_by_class

__all__ = ["coverage"]

SHOWN = 8


def coverage(dataset: Dataset) -> Iterator[str]:
    """Return a sentence for each part in which classes are missing, with their names."""
    if not dataset.learning.least_classes:
        return
    counts = {part: images_by_class(split.labels, len(dataset.classes)) for part, split in dataset.parts.items()}
    absent = counts["train"] == 0
    if absent.any():
        yield f"{_named(dataset, absent)} without an image to train on, so never learned; add images"
    for part, doing in (("validation", "validated"), ("test", "tested")):
        missing = (counts[part] == 0) & ~absent
        if len(dataset.parts[part]) and missing.any():
            few = int((counts["train"][missing]).max())
            yield (
                f"{_named(dataset, missing)} without an image in the {part} part, so never {doing}; train has at most "
                f"{few:,} of one class; add images, or a {part} part"
            )


def _named(dataset: Dataset, chosen: Tensor) -> str:
    names = [dataset.classes[index] for index in chosen.nonzero().flatten().tolist()]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    verb = "is" if len(names) == 1 else "are"
    return f"{len(names)} of {len(dataset.classes)} classes ({', '.join(names[:SHOWN])}{more}) {verb}"
