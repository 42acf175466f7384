"""Several comparisons at once: intervals that all hold together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from reports.comparison.comparing import Contrast, contrast

__all__ = ["each_confidence", "simultaneous"]


def each_confidence(confidence: float, count: int) -> float:
    """Return the confidence of each of several intervals that cover together with the given one.

    Šidák, "Rectangular confidence regions for the means of multivariate normal distributions", 1967: whatever the
    correlations, for example by a reference in common.
    """
    return float(confidence ** (1.0 / max(count, 1)))


def simultaneous(contrasts: Sequence[Contrast]) -> list[Contrast]:
    """Return the comparisons with intervals, p-values and outcomes that hold together.

    That any of them is wrong has at most the probability that one alone had: outcomes follow from the intervals, and
    the intervals cover together. p-values fit them: below 1 − confidence exactly where an interval excludes 0.

    Holm's further steps are not taken. They rest on hypotheses that, once rejected, cannot be rejected wrongly; a
    verdict of three outcomes can be wrong in every comparison, `same` where there is a difference included.

    Args:
        contrasts: Of several candidates, each with the confidence that all are to have together.
    """
    count = len(contrasts)
    corrected = []
    for single in contrasts:
        wider = contrast(single.parts, single.margin, each_confidence(single.confidence, count))
        corrected.append(replace(wider, p=1.0 - (1.0 - single.p) ** count, confidence=single.confidence))
    return corrected
