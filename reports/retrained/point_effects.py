"""What each fusion point does, from what images got: effects with intervals, and weights, over several trainings.

A network is compared with itself, an operator less. So seeds are paired: what counts is the difference of both in each
training, and how that varies between trainings and between images.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from fusion_ops import Spread
from fusion_ops.errors import DataError
from fusion_ops.spread import BINS
from reports.comparison import Contrast, compare, simultaneous
from reports.comparison.arrays import LEAST_IMAGES, LEAST_SEEDS
from reports.retrained.point_record import Effect, Weights

__all__ = ["are_finite", "effects", "weights_of"]

# By how much the weight of a later input must vary more to be shown; those of two inputs vary alike.
MORE = 1.01


def effects(
    whole: NDArray[np.float64], others: Mapping[str, NDArray[np.float64]], *, margin: float
) -> dict[str, Effect]:
    """Return what networks add to what they are without something, by its name; the intervals hold all together.

    Where one has a number an image and the other a single one there is a gain without an interval. Where there is no
    finite number there is nothing.

    Args:
        whole: What each image got from the networks as they are, `(seeds, images)`, more is better; `(seeds, 1)` where
            the measure is no mean over images.
        others: The same of the same networks without something.
        margin: Differences below this count as the same.
    """
    finite = {name: other for name, other in others.items() if np.isfinite(other).all() and np.isfinite(whole).all()}
    found = {name: Effect(float(whole.mean() - other.mean())) for name, other in finite.items()}
    if min(len(whole) - LEAST_SEEDS, whole.shape[1] - LEAST_IMAGES) < 0:
        return found
    nothing = np.zeros_like(whole)
    # One number a training beside one an image would be taken for that of every image, and its interval be too narrow.
    paired = {name: whole - other for name, other in finite.items() if other.shape == whole.shape}
    contrasts = [compare(difference, nothing, margin=margin) for difference in paired.values()]
    return found | {name: _effect(one) for name, one in zip(paired, simultaneous(contrasts), strict=True)}


def are_finite(spreads: Sequence[Spread]) -> bool:
    """Return whether the weights of an operator's inputs are finite numbers throughout."""
    return all(math.isfinite(value) for one in spreads for value in (*one.constants, one.images, one.positions))


def weights_of(
    spreads: Sequence[Sequence[Spread]],
    histograms: Sequence[Sequence[Sequence[float]]],
    differences: Sequence[float],
    *,
    tolerance: float,
) -> Weights:
    """Return how the weights of one operator vary, over several trainings.

    Args:
        spreads: Of each training, of the weight of each input.
        histograms: Likewise, shares of bins.
        differences: Of each training, how far outputs are with the means of the weights in place.
        tolerance: How far they may be for a scaled sum to do.

    Raises:
        DataError: A weight is no finite number.
    """
    _require_finite(spreads)
    index = _most_varying(spreads)
    shown = [inputs[index] for inputs in spreads]
    images = [spread.shares()["images"] for spread in shown]
    # What is no number is beyond any tolerance, wherever `max` would meet it.
    farthest = max(math.inf if math.isnan(one) else one for one in differences)
    return Weights(
        input=index,
        inputs=len(spreads[0]),
        mean=fmean(spread.mean for spread in shown),
        std=fmean(spread.std for spread in shown),
        varying=fmean(spread.varying for spread in shown),
        shares={part: fmean(spread.shares()[part] for spread in shown) for part in shown[0].shares()},
        images_range=(min(images), max(images)),
        values=_mean_of([inputs[index] for inputs in histograms]),
        constants=_mean_of([_histogram(spread, len(spreads[0])) for spread in shown]),
        difference=farthest if math.isfinite(farthest) else None,
        constant=farthest <= tolerance,
    )


def _effect(found: Contrast) -> Effect:
    return Effect(found.gain, found.low, found.high, found.p, found.outcome)


def _require_finite(spreads: Sequence[Sequence[Spread]]) -> None:
    for index, inputs in enumerate(spreads):
        if not are_finite(inputs):
            raise DataError(
                f"the weights of an operator must be finite; they are not in network {index + 1} of {len(spreads)}. "
                "Train it again with another seed."
            )


def _most_varying(spreads: Sequence[Sequence[Spread]]) -> int:
    varying = [fmean(spread.varying for spread in one) for one in zip(*spreads, strict=True)]
    most = max(varying)
    return next(index for index, value in enumerate(varying) if value * MORE >= most)


def _histogram(spread: Spread, inputs: int) -> tuple[float, ...]:
    values = np.clip(spread.constants, 0, inputs)
    counts, _ = np.histogram(values, BINS, (0, inputs))
    return tuple((counts / counts.sum()).tolist())


def _mean_of(histograms: Sequence[Sequence[float]]) -> tuple[float, ...]:
    return tuple(np.mean(histograms, axis=0).round(6).tolist())
