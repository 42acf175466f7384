"""The arrays that are compared: one row for each training, one column for each test image."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fusion_ops.errors import DataError

__all__ = ["LEAST_IMAGES", "LEAST_SEEDS", "pair", "scores"]

LEAST_SEEDS = 2
LEAST_IMAGES = 2


def scores(values: ArrayLike, name: str) -> NDArray[np.float64]:
    """Return an arm's scores as floats, or raise what is wrong with them.

    Args:
        values: `(seeds, images)`, bool or real, more is better.
        name: What the arm is called in an error.

    Raises:
        DataError: They are no such array, too few, or not finite.
    """
    array = np.asarray(values)
    if array.ndim != 2:
        raise DataError(
            f"scores must be an array (seeds, images), a row for each training; got {name} of shape {array.shape}. "
            "A single training is `scores[None, :]`, and needs a second seed."
        )
    if array.dtype.kind not in "biuf":
        raise DataError(
            f"scores must be bool or real numbers; got {name} of dtype {array.dtype}. Convert them, for example with "
            "`labels == predictions`."
        )
    seeds, images = array.shape
    if seeds < LEAST_SEEDS:
        raise DataError(
            f"the spread between trainings needs at least {LEAST_SEEDS} seeds; got {name} with {seeds}. "
            "Train it again with another seed."
        )
    if images < LEAST_IMAGES:
        raise DataError(
            f"the spread between images needs at least {LEAST_IMAGES} images; got {name} with {images}. "
            "Pass a score for each image, not their mean."
        )
    floats = array.astype(np.float64)
    if not np.isfinite(floats).all():
        seed, image = np.argwhere(~np.isfinite(floats))[0]
        raise DataError(
            f"scores must be finite; got {floats[seed, image]} in {name}, seed {seed}, image {image}. "
            "Leave that image out of both networks."
        )
    return floats


def pair(candidate: ArrayLike, reference: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return both arms' scores as floats, of the same images.

    Raises:
        DataError: One of them is unfit, or they have different numbers of images.
    """
    first, second = scores(candidate, "the candidate"), scores(reference, "the reference")
    if first.shape[1] != second.shape[1]:
        raise DataError(
            f"both networks must have been tested on the same images; got {first.shape[1]} of the candidate and "
            f"{second.shape[1]} of the reference. Test both on one set, in one order."
        )
    return first, second
