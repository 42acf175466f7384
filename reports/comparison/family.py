"""Several comparisons at once: intervals that all hold together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import scipy

from reports.comparison.comparing import Contrast, contrast

__all__ = ["each_confidence", "of_the_best", "simultaneous"]


def each_confidence(confidence: float, count: int) -> float:
    """Return the confidence of each of several intervals that cover together with the given one.

    Šidák, "Rectangular confidence regions for the means of multivariate normal distributions", 1967: whatever the
    correlations, for example by a reference in common.
    """
    return float(confidence ** (1.0 / max(count, 1)))


def of_the_best(confidence: float, count: int) -> float:
    """Return the confidence of the interval of whoever came out best of several, picked by what it is compared on.

    The worst that picking can do: all are equal, nothing links them, and the largest error wins. With u the probability
    that one error is below the upper end, all of K are with u^K, and the largest is below the lower end with (1 − u)^K.
    So that the interval of the winner covers as wanted,

        u^K − (1 − u)^K = confidence,    confidence of the interval = 2 u − 1.

    Errors that have something in common, as those against one reference, cover at least as often (Slepian 1962), and so
    does picking by something else. It takes far less than intervals of all K that hold together (`each_confidence`), as
    just one end of each can be crossed by luck: of two nothing, of three 96.6 % for 95 %, of six 98.3 %.

    Args:
        confidence: Wanted coverage.
        count: How many competed.
    """
    if count <= 2:
        return confidence

    def beyond(u: float) -> float:
        return float(u**count - (1.0 - u) ** count - confidence)

    return float(2.0 * scipy.optimize.brentq(beyond, 0.5, 1.0) - 1.0)


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
