"""A Bayesian linear model, whose shrinkage is the one that has the most evidence.

`gain = mean + Φ w + noise`, `w_j ~ N(0, ratio²_j σ²)` for column `j`, `noise ~ N(0, σ²)`; the mean is flat and σ² has
the prior 1 / σ². Of each combination of ratios the evidence is known in closed form, with

    V = I + Φ D Φ',   log p(gain | ratios) = -½ log |V| - ½ (n - 1) log(gain' V⁻¹ gain) + constant

(Bishop, Pattern Recognition and Machine Learning, 3.3 to 3.5). All is done with `Φ'Φ`, of which n is no part.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reports.marginal.design import Design

__all__ = ["CELLS", "Fit", "Sums", "best_common", "evidence", "fit", "fit_with", "inner", "left_out", "sums"]

Array = NDArray[np.float64]

# Standard deviation of an effect, in units of the noise: of a cell, of an operator at all points, of an r.
CELLS = (0.02, 0.15, 0.3, 0.6, 1.2, 2.4, 5.0, 15.0, 50.0)
_OPERATORS = (0.02, 0.15, 0.5, 1.5)
_RATIOS = (0.02, 0.15, 0.5)
# Of what else differs, which is in units of its own standard deviation.
_BESIDE = 1.0


@dataclass(frozen=True, slots=True)
class Sums:
    """All that the model needs of the candidates: `Φ'Φ`, `Φ'gain`, `gain'gain` (centred) and their number."""

    gram: Array
    to_gain: Array
    gain: float
    size: int


@dataclass(frozen=True, slots=True)
class Fit:
    """The fitted model.

    Args:
        ratios: `(p,)`: standard deviation of each column's effect in units of the noise.
        noise: σ².
        explained: Share of the variance of candidates left out, one at a time, that the rest predicts; below 0 where
            the plain mean predicts better.
    """

    ratios: Array
    noise: float
    explained: float


def sums(design: Design, gain: Array) -> Sums:
    """Return the sums over candidates with these gains, `(n,)`."""
    centred = gain - gain.mean()
    columns = design.columns
    return Sums(columns.T @ columns, columns.T @ centred, float(centred @ centred), len(gain))


def fit(design: Design, gain: Array) -> Fit:
    """Return the model with one ratio for each group of columns, those of the most evidence.

    Args:
        design: At least three candidates.
        gain: Their gains, `(n,)`; not all are equal.
    """
    known = sums(design, gain)
    tried = [one[design.group] for one in _grid(design)]
    return fit_with(design, gain, max(tried, key=lambda ratios: evidence(known, ratios)))


def fit_with(design: Design, gain: Array, ratios: Array) -> Fit:
    """Return the model with these ratios, `(p,)`."""
    known = sums(design, gain)
    smoother = np.linalg.inv(inner(known.gram, ratios))
    left = known.gain - float(known.to_gain @ smoother @ known.to_gain)
    errors = _left_out(design, gain, ratios)[0]
    plain = (gain - gain.mean()) * known.size / (known.size - 1)
    return Fit(ratios, max(left, 0.0) / (known.size - 1), float(1 - errors @ errors / (plain @ plain)))


def left_out(design: Design, gain: Array, fitted: Fit) -> tuple[Array, Array]:
    """Return mean and standard deviation of what the model predicts of each candidate from all others, `(n,)` each.

    With the hat matrix `H = 1/n + Φ (D⁻¹ + Φ'Φ)⁻¹ Φ'` the error of the i-th is `(gain - H gain)_i / (1 - H_ii)`, its
    variance `σ² / (1 - H_ii)`, the noise of its own training included (Rasmussen and Williams, Gaussian Processes for
    Machine Learning, 2006, eq. 5.12). Ratios and σ² are those of all candidates.
    """
    errors, free = _left_out(design, gain, fitted.ratios)
    return gain - errors, np.sqrt(fitted.noise / free)


def _left_out(design: Design, gain: Array, ratios: Array) -> tuple[Array, Array]:
    """Return the error of each candidate as predicted from all others, and `1 - H_ii`."""
    known, columns = sums(design, gain), design.columns
    projected = columns @ np.linalg.inv(inner(known.gram, ratios))
    pull = np.einsum("np,np->n", projected, columns) + 1 / known.size
    free = np.maximum(1 - pull, 1e-9)
    return (gain - gain.mean() - projected @ known.to_gain) / free, free


def evidence(known: Sums, ratios: Array) -> float:
    """Return the log evidence of ratios, `(p,)`, up to a constant."""
    from scipy.linalg import cholesky, solve_triangular

    factor = cholesky(inner(known.gram, ratios), lower=True, overwrite_a=True, check_finite=False)
    halved = solve_triangular(factor, known.to_gain, lower=True, check_finite=False)
    volume = 2 * float(np.log(np.diagonal(factor)).sum() + np.log(ratios).sum())
    left = max(known.gain - float(halved @ halved), 1e-12 * known.gain)
    return -0.5 * volume - 0.5 * (known.size - 1) * float(np.log(left))


def best_common(known: Sums, ratios: Array, which: NDArray[np.bool_]) -> Array:
    """Return the ratios, `(p,)`, where those of some columns are the one of the most evidence."""
    return max((np.where(which, one, ratios) for one in CELLS), key=lambda tried: evidence(known, tried))


def inner(gram: Array, ratios: Array) -> Array:
    """Return `D⁻¹ + Φ'Φ`."""
    out: Array = gram + np.diag(1 / ratios**2)
    return out


def _grid(design: Design) -> list[Array]:
    operators = _OPERATORS if len(design.rows) > 1 else _OPERATORS[:1]
    ratios = _RATIOS if design.by_ratio else _RATIOS[:1]
    return [np.array(one) for one in itertools.product(CELLS, operators, ratios, (_BESIDE,))]
