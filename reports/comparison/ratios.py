"""Mean IoU as a mean over images, so that it can be compared image by image.

The mean IoU of a whole data set is a ratio of sums, `IoU_k = H_k / U_k` with `H_k` the pixels hit and `U_k` those
predicted or there, and no mean over images: an image without the class says nothing about it. Its linearisation is
one,

    value_i = mIoU + 1/K Σ_k (N / U_k) (h_ik − IoU_k u_ik)

whose mean over the N images is exactly the mean IoU, and whose variance over N is that of the mean IoU for large N
(the delta method, or infinitesimal jackknife: Efron, "The jackknife, the bootstrap and other resampling plans", 1982,
chapter 6).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fusion_ops.errors import DataError

__all__ = ["miou_values"]

HIT, PREDICTED, THERE = range(3)


def miou_values(counts: ArrayLike) -> NDArray[np.float64]:
    """Return values (seeds, images) whose mean over the images is each training's mean IoU.

    They are no IoU of an image: single values may lie outside 0 to 1. A class that is neither predicted nor there
    counts in no mean, as everywhere in fusion-nas.

    Args:
        counts: `(seeds, images, 3, classes)`: pixels hit, predicted as the class, and there.

    Raises:
        DataError: The array has another shape, negative or infinite counts, more hits than pixels, or no pixel at all.
    """
    array = np.asarray(counts)
    if array.ndim != 4 or array.shape[2] != 3 or 0 in array.shape:
        raise DataError(
            "counts must be an array (seeds, images, 3, classes) of pixels hit, predicted and there; got shape "
            f"{array.shape}. Stack the three along the third axis."
        )
    pixels = array.astype(np.float64)
    hit, predicted, there = (pixels[:, :, kind] for kind in (HIT, PREDICTED, THERE))
    if not (np.isfinite(pixels).all() and (hit >= 0).all() and (hit <= np.minimum(predicted, there)).all()):
        raise DataError(
            "pixels hit must be 0 or more, and no more than those predicted or there; got other counts. "
            "The order is hit, predicted, there."
        )
    union = predicted + there - hit
    hits, unions = hit.sum(axis=1, keepdims=True), union.sum(axis=1, keepdims=True)
    seen = unions > 0
    classes = seen.sum(axis=2, keepdims=True)
    if not classes.all():
        raise DataError(
            "mean IoU needs a class that is predicted or there; got a training with no pixel. Test it again."
        )
    size = np.where(seen, unions, 1.0)
    iou = hits / size
    influence = np.where(seen, (hit - iou * union) / size, 0.0) * pixels.shape[1]
    values: NDArray[np.float64] = ((iou + influence) / classes).sum(axis=2)
    return values
