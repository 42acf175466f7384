"""`cluttered_digits`: handwritten digits of several scales among clutter, composed on the fly.

The digits are scikit-learn's, 8 × 8 pixels. No digit is in two parts of the set: 60 % of them are for training, 20 %
for validation and 20 % for the test, the latter the same for every seed. The k-th image of a part does not depend on
how many there are.
"""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, field_validator

from fusion_ops.errors import DataError
from search.training.data.assemble import TEST_FRACTION, TEST_SEED, stratified
from search.training.data.compose import Scenery, compose
from search.training.data.dataset import Dataset, Split, channel_statistics
from search.training.data.digits import DIGITS, read_digits
from search.training.data.source import DATASETS, CachedSection, DatasetSource, PathlessSection

__all__ = ["ClutteredDigits", "load_cluttered_digits", "sources"]

# Raised whenever the same settings give other images.
VERSION = 2
VALIDATION_FRACTION = 0.25
# By task: least and largest number of whole digits, and how much they are enlarged.
WHOLE = {"classification": ((1, 1), (1.0, 3.0)), "segmentation": ((2, 3), (1.0, 2.0))}
Scale = Annotated[float, Field(ge=0.5, le=4)]


class ClutteredDigits(PathlessSection, CachedSection):
    """The `data` section of `cluttered_digits`.

    Args:
        task: `classification`: one whole digit an image. `segmentation`: two or three, and a mask with
            background and ten digits.
        images: Images to train and validate on; `val_fraction` of them are for validation.
        test_images: Images of the test set.
        size: Height and width in pixels.
        scale: Least and largest enlargement of whole digits, which are 8 pixels high and wide as they are, on an
            image of 32 pixels, and in proportion on larger ones; `null`: 1 to 3, for segmentation 1 to 2.
        clutter: Fragments of digits an image.
        noise: Standard deviation of the noise of a pixel, as a share of full white.
    """

    task: Literal["classification", "segmentation"] = "classification"
    images: Annotated[int, Field(ge=20, le=1_000_000)] = 4000
    test_images: Annotated[int, Field(ge=1, le=1_000_000)] = 1000
    size: Annotated[int, Field(ge=32, le=512)] = 32
    scale: tuple[Scale, Scale] | None = None
    clutter: Annotated[int, Field(ge=0, le=64)] = 8
    noise: Annotated[float, Field(ge=0, le=1)] = 0.05

    @field_validator("scale")
    @classmethod
    def _ordered(cls, scale: tuple[float, float] | None) -> tuple[float, float] | None:
        if scale is not None and scale[0] > scale[1]:
            raise ValueError(f"the least enlargement comes first; got {list(scale)}. Write {sorted(scale)}.")
        return scale


def load_cluttered_digits(section: ClutteredDigits) -> Dataset:
    """Return cluttered digits: `(1, size, size)` images; ten classes, or background and ten classes.

    Raises:
        DataError: `val_fraction` is so small or large that a part has no image, or scikit-learn is not installed.
    """
    validation = round(section.images * section.val_fraction)
    counts = {"train": section.images - validation, "validation": validation, "test": section.test_images}
    if not 0 < validation < section.images:
        raise DataError(
            f"training and validation need at least one image each; got `data.images: {section.images}` and "
            f"`data.val_fraction: {section.val_fraction}`."
        )
    images, labels = read_digits()
    masked = section.task == "segmentation"
    whole, scales = WHOLE[section.task]
    scenery = Scenery(section.size, whole, section.scale or scales, section.clutter, section.noise)
    splits = {}
    for number, (name, part) in enumerate(sources(section.seed).items()):
        chosen = torch.from_numpy(part)
        seed = (TEST_SEED if name == "test" else section.seed) * len(counts) + number
        digits = images[chosen, 0].float() / 255
        drawn, targets, masks = compose(digits, torch.from_numpy(labels[part]), counts[name], scenery, seed)
        splits[name] = Split(drawn, masks if masked else targets)
    mean, std = channel_statistics(splits["train"].images)
    classes = ("background", *DIGITS) if masked else DIGITS
    return Dataset("cluttered_digits", section.task, classes=classes, mean=mean, std=std, **splits)


def sources(seed: int) -> dict[str, NDArray[np.int64]]:
    """Return, by part, the indices of the digits that it is composed of; no digit is in two parts."""
    _, labels = read_digits()
    rest, test = stratified(labels, np.arange(len(labels)), TEST_FRACTION, TEST_SEED)
    train, validation = stratified(labels, rest, VALIDATION_FRACTION, seed)
    return {"train": train, "validation": validation, "test": test}


DATASETS.register("cluttered_digits")(
    DatasetSource(lambda section: section.task, load_cluttered_digits, ClutteredDigits, state=lambda _: VERSION)
)
