"""Does the search's ranking hold, and how much did the winner owe to luck?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy

from fusion_ops.errors import DataError
from reports.comparison.comparing import CONFIDENCE

__all__ = ["Estimate", "rank_agreement", "winners_curse"]

LEAST_RANKED = 5


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its interval.

    Args:
        value: The estimate.
        low: Lower end of the interval.
        high: Its upper end.
    """

    value: float
    low: float
    high: float


def winners_curse(searched: float, retrained: Sequence[float], *, confidence: float = CONFIDENCE) -> Estimate:
    """Return by how much the search had shown more than new trainings of the same network do.

    What was picked for its score was, on average, lucky: the best of many measured values is above its true one. The
    interval is that of the retrained mean, `s t / √S`; what the search had shown is a fact.

    Args:
        searched: The score that the network was picked for.
        retrained: Scores of new trainings on the same images, at least 2.
        confidence: Coverage of the interval.

    Raises:
        DataError: There are fewer than 2, or a score is not finite.
    """
    scores = _finite(retrained, "retrained scores")
    _finite([searched], "the searched score")
    if len(scores) < 2:
        raise DataError(f"the winner's curse needs 2 retrained scores or more; got {len(scores)}. Train another seed.")
    value = searched - float(scores.mean())
    half = float(
        scipy.special.stdtrit(len(scores) - 1, 0.5 + confidence / 2) * scores.std(ddof=1) / math.sqrt(len(scores))
    )
    return Estimate(value, value - half, value + half)


def rank_agreement(
    searched: Sequence[float], retrained: Sequence[float], *, confidence: float = CONFIDENCE
) -> Estimate:
    """Return Kendall's τ-b between the search's scores and the retrained means of the same networks.

    1: the same order; 0: no relation; −1: the reverse. The interval is Fieller's: artanh τ is nearly normal with the
    variance 0.437 / (n − 4) (Fieller, Hartley and Pearson, "Tests for rank correlation coefficients", 1957). With
    fewer than 5 networks it is −1 to 1. Where all scores of one side are equal, τ is undefined: NaN.

    Args:
        searched: A score for each network.
        retrained: A mean over seeds for each network, in the same order.
        confidence: Coverage of the interval.

    Raises:
        DataError: The lengths differ, there are fewer than 2 networks, or a score is not finite.
    """
    first, second = _finite(searched, "searched scores"), _finite(retrained, "retrained means")
    if len(first) != len(second) or len(first) < 2:
        raise DataError(
            f"a ranking is compared over the same networks, 2 or more; got {len(first)} and {len(second)} scores. "
            "Pass one score of each for every network."
        )
    if np.ptp(first) == 0.0 or np.ptp(second) == 0.0:
        return Estimate(math.nan, -1.0, 1.0)
    orders = [np.sign(scores[:, None] - scores[None, :]) for scores in (first, second)]
    tau = float((orders[0] * orders[1]).sum() / math.sqrt((orders[0] ** 2).sum() * (orders[1] ** 2).sum()))
    if len(first) < LEAST_RANKED:
        return Estimate(tau, -1.0, 1.0)
    inner = min(max(tau, -1 + 1e-12), 1 - 1e-12)
    half = float(scipy.special.ndtri(0.5 + confidence / 2)) * math.sqrt(0.437 / (len(first) - 4))
    return Estimate(tau, math.tanh(math.atanh(inner) - half), math.tanh(math.atanh(inner) + half))


def _finite(values: Sequence[float], name: str) -> np.ndarray:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or not np.isfinite(array).all():
        raise DataError(
            f"{name} must be a list of finite numbers; got {values}. Leave out what has no score, on both sides."
        )
    return array
