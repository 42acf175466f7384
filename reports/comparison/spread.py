"""What the scores of single images in single trainings vary by: measured in a run, or assumed before any."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fusion_ops.errors import DataError, SpecError
from reports.comparison.arrays import LEAST_SEEDS, scores
from reports.comparison.components import ArmParts, Components

__all__ = ["Spread"]

REST_SHARE = 0.6
IMAGE_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Spread:
    """Variances of the scores of a single image in a single training, in units of the score squared.

    Args:
        seed: Of a training as a whole, beyond what a finite test set makes of it.
        image: Of the images' differences between two networks.
        rest: Of what is left: whether just this training gets just this image right.
    """

    seed: float
    image: float
    rest: float

    def __post_init__(self) -> None:
        if min(self.seed, self.image, self.rest) < 0.0 or self.image + self.rest + self.seed == 0.0:
            raise SpecError(
                f"variances must be 0 or more, and not all 0; got {self}. `Spread.assumed(accuracy)` is a guess."
            )

    @classmethod
    def measured(cls, parts: Components) -> Spread:
        """Return the spread that a comparison shows, the mean of its two arms."""
        rest = sum(float(part) * seeds for part, seeds in zip(parts.rest, parts.seeds, strict=True)) / 2
        both = sum(float(part) * seeds for part, seeds in zip(parts.between_seeds, parts.seeds, strict=True)) / 2
        return cls(max(both - rest, 0.0), float(parts.images_only) * parts.images, rest * parts.images)

    @classmethod
    def pooled(cls, arrays: Iterable[ArrayLike]) -> Spread:
        """Return the spread that several networks show together: steadier than that of any two of them.

        Variances between trainings are pooled by their degrees of freedom, S − 1 of each network; that of the images'
        differences is the mean over all pairs. Of one network alone the images' differences are taken to be what
        `assumed` makes of the rest.

        ```python
        spread = Spread.pooled(outcomes.values())          # of {network: (seeds, images)}
        detectable(spread, seeds=5, images=2000)
        ```

        Args:
            arrays: For each network `(seeds, images)`, all of the same images. One with a single seed shows no spread,
                and is left out.

        Raises:
            DataError: No network has two seeds, an array is unfit, the images differ in number, or nothing varies.
        """
        trained = [np.asarray(array) for array in arrays]
        arms = [scores(array, "a network") for array in trained if array.ndim != 2 or len(array) >= LEAST_SEEDS]
        _require_alike(arms)
        images, parts = arms[0].shape[1], [ArmParts.of(arm) for arm in arms]
        freedom = np.array([len(arm) - 1.0 for arm in arms])
        rest = _pooled([part.rest for part in parts], freedom) * images
        both = _pooled([part.between_seeds for part in parts], freedom)
        seed, image = max(both - rest / images, 0.0), _between_images(parts, rest)
        if seed + image + rest == 0.0:
            raise DataError(
                "what trainings get must differ; got the same scores in all of them. "
                "`Spread.assumed(accuracy)` is a guess."
            )
        return cls(seed, image, rest)

    @classmethod
    def assumed(cls, accuracy: float) -> Spread:
        """Return the spread to expect of networks with an accuracy, before any is trained.

        Assumed of the variance of being right, accuracy (1 − accuracy): six tenths are chance of the single training, a
        tenth lies in images which are harder for just one of the networks, the rest in images which are as hard for
        both; and trainings differ by no more than a finite test set makes of them (`seed` = 0). The last is the best
        case: short trainings can differ by several times as much, which only trainings can tell.

        Args:
            accuracy: Between 0 and 1.
        """
        if not 0.0 < accuracy < 1.0:
            raise SpecError(f"`accuracy` must lie between 0 and 1; got {accuracy}. 90 % is 0.9.")
        variance = accuracy * (1.0 - accuracy)
        return cls(0.0, variance * IMAGE_SHARE, variance * REST_SHARE)


def _pooled(parts: Sequence[NDArray[np.float64]], freedom: NDArray[np.float64]) -> float:
    """Return the variance of a single training, from those of means over each network's seeds."""
    return float(np.average(np.array(parts) * (freedom + 1.0), weights=freedom))


def _require_alike(arms: Sequence[NDArray[np.float64]]) -> None:
    if not arms:
        raise DataError(
            f"the spread between trainings needs a network with {LEAST_SEEDS} seeds; got none. "
            "`Spread.assumed(accuracy)` is a guess."
        )
    if len(images := {arm.shape[1] for arm in arms}) > 1:
        raise DataError(
            f"all networks must have been tested on the same images; got {sorted(images)} of them. "
            "Test all on one set, in one order."
        )


def _between_images(parts: Sequence[ArmParts], rest: float) -> float:
    """Return the variance of the images' differences between two networks, the mean over all pairs.

    The mean of squared differences over all pairs of K values is 2 / (K − 1) times their squares around the mean.
    """
    if len(parts) == 1:
        return rest * IMAGE_SHARE / REST_SHARE
    by_image = np.stack([part.by_image for part in parts])
    apart = by_image - by_image.mean(axis=0)
    of_pairs = 2.0 * float(apart.var(axis=1, ddof=1).sum()) / (len(parts) - 1)
    chance = 2.0 * float(np.mean([part.rest for part in parts])) * by_image.shape[1]
    return float(max(of_pairs - chance, 0.0))
