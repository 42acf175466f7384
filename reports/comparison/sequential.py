"""What is known of a pair of networks after some seeds, and what further seeds could still show.

Everything here is a function of the components alone, and takes those of many studies at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from fusion_ops.errors import SpecError
from reports.comparison.arrays import LEAST_SEEDS
from reports.comparison.comparing import CONFIDENCE, MARGIN, not_a_confidence
from reports.comparison.components import Components
from reports.comparison.interval import half_width
from reports.comparison.looks import repeated_confidence

__all__ = ["Looks"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Looks:
    """How often one looks, and what all looks together may get wrong.

    Args:
        least: Seeds of each network at the first look.
        most: Seeds of each network at the last one.
        margin: Differences up to this are too small to matter.
        confidence: Coverage of the intervals of all looks together.

    Raises:
        SpecError: The numbers of seeds are no range, or the confidence is none.
    """

    least: int = 3
    most: int = 12
    margin: float = MARGIN
    confidence: float = CONFIDENCE

    def __post_init__(self) -> None:
        if not LEAST_SEEDS <= self.least <= self.most:
            raise SpecError(
                f"seeds must be a range of {LEAST_SEEDS} or more; got {self.least}..{self.most}. 3..12 is usual."
            )
        if not 0.5 <= self.confidence < 1.0:
            raise not_a_confidence(self.confidence)

    def confidence_now(self, parts: Components) -> Floats:
        """Return the confidence of this look's interval: with it, the intervals of all looks cover together."""
        last = parts.with_seeds(self.most, self.most)
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.where(last.variance > 0.0, last.images_only / last.variance, 0.0)
            time = np.where(last.variance > 0.0, np.minimum(last.variance / parts.variance, 1.0), 1.0)
        return repeated_confidence(share, time, self.least, self.most, self.confidence)

    def chance(self, parts: Components, last_seeds: int | None = None) -> Floats:
        """Return the probability that the last look would decide, in the light of this one.

        What comes is normal around the gain seen, with the variance that the further seeds take away: increments are
        independent of what has been seen. Variances and confidence are those estimated now.
        """
        last_seeds = last_seeds or self.most
        last = parts.with_seeds(last_seeds, last_seeds)
        half = half_width(last, self.confidence_now(last))
        spread = np.sqrt(np.maximum(parts.variance - last.variance, 0.0))
        size = np.abs(parts.gain)
        decided = np.maximum(self.margin - half, 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            between = _normal(half, size, spread) - _normal(decided, size, spread)
        return np.where(half <= self.margin / 2.0, 1.0, 1.0 - between)


def _normal(bound: Floats, size: Floats, spread: Floats) -> Floats:
    """Return P(|X| ≤ bound) for X normal around `size`; `spread` may be 0."""
    scale = np.maximum(spread, 1e-300)
    within: Floats = scipy.special.ndtr((bound - size) / scale) - scipy.special.ndtr((-bound - size) / scale)
    return within
