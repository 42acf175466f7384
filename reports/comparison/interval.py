"""The interval of a gain that new seeds and new images would show.

    gain ± t(f) · standard error,    f = V² / Σ part² / freedom of the part

Student's t with degrees of freedom by Satterthwaite, "An approximate distribution of estimates of variance
components", 1946, and Welch, "The generalization of Student's problem when several different population variances are
involved", 1947. Two classical tests are its ends: where images do not matter it is Welch's of the seeds' means, where
seeds do not matter the paired one of the images.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from reports.comparison.components import Components

__all__ = ["half_width", "p_value"]


def half_width(parts: Components, confidence: float | NDArray[np.float64]) -> NDArray[np.float64]:
    """Return half the width of the interval, in units of the score, of one study or of many.

    Args:
        parts: The components.
        confidence: Wanted coverage, for example 0.95.
    """
    width: NDArray[np.float64] = stdtrit(parts.freedom, 0.5 + confidence / 2.0) * np.sqrt(parts.variance)
    return width


def p_value(parts: Components) -> NDArray[np.float64]:
    """Return 1 − the confidence of the interval that just reaches 0: two-sided."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(parts.gain == 0.0, 0.0, np.abs(parts.gain) / np.sqrt(parts.variance))
    p: NDArray[np.float64] = 2.0 * stdtr(parts.freedom, -ratio)
    return p
