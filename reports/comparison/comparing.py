"""Two networks, each trained on several seeds and tested on the same images: which is better?"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from numpy.typing import ArrayLike

from fusion_ops.errors import SpecError
from reports.comparison.arrays import pair
from reports.comparison.components import Components, components
from reports.comparison.interval import ends, p_value
from reports.comparison.outcome import Outcome, outcome

__all__ = ["CONFIDENCE", "MARGIN", "Contrast", "compare", "contrast", "not_a_confidence", "over_looks"]

MARGIN = 0.0025
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Contrast:
    """A candidate against a reference, in units of the score.

    Args:
        gain: Mean of the candidate minus mean of the reference.
        low: Lower end of the interval of the gain that new seeds and new images would show.
        high: Its upper end.
        p: Two-sided: 1 − the confidence of the interval that just reaches 0.
        outcome: `better`, `same`, `worse` or `undecided`.
        margin: Differences up to this are too small to matter.
        confidence: Coverage of the interval.
        parts: The components of the standard error.
    """

    gain: float
    low: float
    high: float
    p: float
    outcome: Outcome
    margin: float
    confidence: float
    parts: Components

    @property
    def seeds(self) -> tuple[int, int]:
        """Trainings of the candidate and of the reference."""
        return self.parts.seeds

    @property
    def images(self) -> int:
        """Test images."""
        return self.parts.images

    @property
    def standard_error(self) -> float:
        """Of the gain, over seeds and images."""
        return math.sqrt(float(self.parts.variance))

    @property
    def seeds_error(self) -> float:
        """The part of the standard error that is due to seeds, beyond what a finite test set makes of them."""
        return math.sqrt(float(self.parts.seeds_only))

    @property
    def images_error(self) -> float:
        """The part of the standard error that no further seed would take away."""
        return math.sqrt(float(self.parts.images_only))


def compare(
    candidate: ArrayLike, reference: ArrayLike, *, margin: float = MARGIN, confidence: float = CONFIDENCE
) -> Contrast:
    """Compare two networks by what every test image got in every training.

    Seeds and images are both a sample: the interval is of the difference that new seeds and new images would show.

    ```python
    right = predictions == labels                      # (seeds, images), bool
    c = compare(right_of_aff, right_of_sum)
    c.gain, c.low, c.high, c.p, c.outcome
    ```

    Args:
        candidate: `(seeds, images)`, bool or real; more is better (pass the negative of a loss). At least 2 seeds; with
            3 or more the coverage has been measured.
        reference: `(seeds, images)`: the same images in the same order. The number of seeds may differ.
        margin: Networks that differ by no more count as the same, in the scores' unit; 0: none do.
        confidence: Coverage of the interval, between 0.5 and 1.

    Raises:
        DataError: An array has a wrong shape or type, too few seeds, values that are not finite, or other images.
        SpecError: The margin is negative, or the confidence no such number.
    """
    first, second = pair(candidate, reference)
    if not 0.0 <= margin < math.inf:
        raise SpecError(
            f"`margin` must be 0 or more, in the scores' unit; got {margin}. A quarter of a point is 0.0025."
        )
    if not 0.5 <= confidence < 1.0:
        raise not_a_confidence(confidence)
    return contrast(components(first, second), margin, confidence)


def contrast(parts: Components, margin: float, confidence: float) -> Contrast:
    """Return the comparison that components of one study amount to."""
    low, high = (float(end) for end in ends(parts, confidence))
    said = outcome(low, high, margin)
    return Contrast(float(parts.gain), low, high, float(p_value(parts)), said, margin, confidence, parts)


def over_looks(found: Contrast, confidence: float) -> Contrast:
    """Return a comparison at one of several looks, whose intervals all hold together.

    Args:
        found: The comparison with the confidence of this look.
        confidence: Coverage of all looks together: p is below 1 − `confidence` exactly where the interval excludes 0.
    """
    return replace(found, confidence=confidence, p=min(1.0, found.p * (1.0 - confidence) / (1.0 - found.confidence)))


def not_a_confidence(value: float) -> SpecError:
    """Return the error that a wrong confidence raises."""
    return SpecError(f"`confidence` must be at least 0.5 and less than 1; got {value}. 0.95 is the usual one.")
