"""Is the validation set large enough to show differences such as were found?"""

from __future__ import annotations

import math

import numpy as np

from reports.checks.chance import Z95
from reports.checks.check import HEALTH, Finding, HealthCheck
from reports.checks.subject import Subject
from reports.comparison import Spread
from reports.phrases import signed_points

__all__ = ["smallest_difference", "validation_large_enough"]

# The normal quantile of 80 % power.
POWER = 0.8416212335729143


def smallest_difference(accuracy: float, images: int) -> float:
    """Return the difference of two networks, one training each, that a validation set shows with 80 % power.

    (1.96 + 0.84) √((v_image + 2 v_rest) / n), with the variances that `Spread.assumed` expects of that accuracy: 1.3
    accuracy (1 − accuracy) / n in all. Seeds are left out: it is what the images alone allow at best.
    """
    spread = Spread.assumed(float(np.clip(accuracy, 0.5 / images, 1.0 - 0.5 / images)))
    return (Z95 + POWER) * math.sqrt((spread.image + 2.0 * spread.rest) / images)


def validation_large_enough(subject: Subject) -> Finding | None:
    """Return whether the validation images can show the difference that was found.

    Passed where the smallest difference they show is at most that between the best candidate and what it has to beat;
    failed where it is more than that between the best and the median candidate: then they can hardly rank at all.
    """
    if subject.images is None or len(subject.qualities) < 3:
        return None if subject.images is None else Finding("unknown", "Fewer than three candidates are complete.")
    values, images = subject.qualities, subject.images
    least = smallest_difference(float(np.median(values)), images)
    comparison = subject.searched.comparison
    found = abs(comparison.gain) if comparison is not None else 0.0
    typical = float(abs(values[0] - np.median(values)))
    numbers = {"images": images, "smallest": least, "found": found, "typical": typical}
    shows = f"{images:,} images show differences from {_size(subject, least)} on"
    if least <= found:
        return Finding("pass", f"{shows}; the one that was found is {_size(subject, found)}.", numbers=numbers)
    needed = _needed(images, least, max(found, typical))
    advice = (
        f"Raise `data.val_fraction` (about {needed:,} images), or decide by retrained networks and the test images."
    )
    if least > typical:
        reason = f"{shows}, but the best candidate is only {_size(subject, typical)} above the median one."
        return Finding("fail", reason, advice if max(found, typical) > 0 else _only_retrained(), numbers)
    reason = f"{shows}; the one that was found is {_size(subject, found)}."
    return Finding("warning", reason, advice, numbers)


def _needed(images: int, least: float, difference: float) -> int:
    """Return how many images would show a difference, rounded up to two digits: n (least / difference)²."""
    if difference <= 0:
        return images
    wanted = images * (least / difference) ** 2
    step = int(10 ** max(math.floor(math.log10(wanted)) - 1, 0))
    return math.ceil(wanted / step) * step


def _only_retrained() -> str:
    return "Decide by retrained networks and the test images."


def _size(subject: Subject, difference: float) -> str:
    return signed_points(subject.quality, difference).lstrip("+")


HEALTH.register("validation")(HealthCheck("Validation set large enough", validation_large_enough, at_the_end=True))
