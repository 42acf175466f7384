"""What the candidates say of some columns, given all others: the operators at a point, or the r of an operator."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reports.marginal.design import Design, Row
from reports.marginal.shrinkage import CELLS, Sums, best_common, inner

__all__ = ["Adjusted", "Posterior", "adjusted_ratios", "adjusted_row"]

Array = NDArray[np.float64]
# Less than this share of what the columns have is rounding.
LEAST_SEEN = 1e-9
# Ratios of effects that stand in each other's place. That there is no effect at all is left to `p`.
OWN = CELLS[1:]


@dataclass(frozen=True, slots=True)
class Posterior:
    """What is known of effects, each against the mean of all of them: their expectation and standard deviation."""

    effects: Array
    spread: Array


@dataclass(frozen=True, slots=True)
class Adjusted:
    """Columns `X` of effects that stand in each other's place, under `gain ~ N(mean + X b, σ² V₀)`.

    `V₀ = I + Φ D Φ'` has all other columns, shrunk as the evidence has it without `X`.

    Args:
        score: `X' V₀⁻¹ gain`, `(k,)`.
        information: `X' V₀⁻¹ X`, `(k, k)`.
        left: `gain' V₀⁻¹ gain`.
        size: Number of candidates.
        scale: Trace of `X' X`.
    """

    score: Array
    information: Array
    left: float
    size: int
    scale: float

    @property
    def noise(self) -> float:
        """σ² with free effects; `inf` where no candidate is left to tell it."""
        inverse, rank = self._inverse()
        rest = self.size - 1 - rank
        return max(self.left - float(self.score @ inverse @ self.score), 0.0) / rest if rest > 0 else float("inf")

    def p(self) -> float:
        """Return p of: all effects are the same.

        Of two tests the smaller p, doubled: all effects at once, and the one of them that differs most from all others
        taken together, its p times k. The second sees more where a search has tried one of them nearly always. Both
        are generalised F tests, exact for a known `D`: with the score `S` and the information `A`,
        `F = (S' A⁺ S / k) / σ²` where σ² is of n - 1 - k candidates, k being the rank.
        """
        inverse, rank = self._inverse()
        together = self._p_of(float(self.score @ inverse @ self.score), rank)
        own = np.diag(self.information)
        if len(own) < 3:
            return together
        alone = [
            self._p_of(float(score**2 / mine), 1) if mine > LEAST_SEEN * self.scale else 1.0
            for score, mine in zip(self.score, own, strict=True)
        ]
        return min(1.0, 2 * together, 2 * len(own) * min(alone))

    def _p_of(self, taken: float, rank: int) -> float:
        """Return p of what so many free effects take off `left`."""
        from scipy.stats import f

        rest, still = self.size - 1 - rank, self.left - taken
        return float(f.sf(taken / rank / (still / rest), rank, rest)) if rank and rest > 0 and still > 0 else 1.0

    def free(self) -> tuple[Array, Array]:
        """Return the effects without shrinkage, and their covariance in units of σ²; each against the mean."""
        inverse, _ = self._inverse()
        centring = np.eye(len(self.score)) - 1 / len(self.score)
        return centring @ inverse @ self.score, centring @ inverse @ centring

    def best_ratio(self) -> float:
        """Return the ratio of these effects that has the most evidence."""
        return max(CELLS, key=lambda ratio: self._shrunk(ratio)[0])

    def posterior(self) -> Posterior:
        """Return what is known of the effects with shrinkage of their own, averaged by the evidence for it.

        What shrinkage takes off an effect counts as uncertainty, too: a single operator that stands out is shrunk by
        the company of the others.
        """
        logs, means, variances = zip(*map(self._shrunk, OWN), strict=True)
        shares = np.exp(np.array(logs) - max(logs))
        shares /= shares.sum()
        each = np.array(means)
        expected = shares @ each
        variance = shares @ (np.array(variances) + (each - expected) ** 2) + (self.free()[0] - expected) ** 2
        return Posterior(expected, np.sqrt(np.maximum(variance, 0.0)))

    def _shrunk(self, ratio: float) -> tuple[float, Array, Array]:
        """Return the log evidence of a ratio; under it, expectations and variances of the effects against the mean."""
        unit = np.eye(len(self.score))
        centring = unit - 1 / len(self.score)
        inverse = np.linalg.inv(self.information + unit / ratio**2)
        mean = inverse @ self.score
        left = max(self.left - float(mean @ self.score), 1e-12 * self.left)
        volume = float(np.linalg.slogdet(unit + ratio**2 * self.information)[1])
        log = -0.5 * volume - 0.5 * (self.size - 1) * float(np.log(left))
        return log, centring @ mean, left / (self.size - 1) * np.diag(centring @ inverse @ centring)

    def _inverse(self) -> tuple[Array, int]:
        """Return the pseudo-inverse of the information, and its rank."""
        values, vectors = np.linalg.eigh(self.information)
        seen = values > LEAST_SEEN * max(self.scale, 1.0)
        kept = vectors[:, seen]
        return (kept / values[seen]) @ kept.T, int(seen.sum())


def adjusted_row(
    design: Design, known: Sums, ratios: Array, row: Row, searched: NDArray[np.bool_] | None = None
) -> Adjusted:
    """Return what is known of the operators at a row; those at the other rows count for what they do everywhere.

    Args:
        design: The candidates.
        known: Their sums.
        ratios: Ratios of all columns, `(p,)`.
        row: The row.
        searched: Which columns, `(p,)`, take the one ratio of the most evidence, without this row, in place of theirs.
    """
    gram, to_gain = known.gram.copy(), known.to_gain.copy()
    cells, counts = list(row.cells), [design.by_operator[code] for code in row.operators]
    to_gain[counts] -= to_gain[cells]
    gram[counts] -= gram[cells]
    gram[:, counts] -= gram[:, cells]
    return _adjusted(Sums(gram, to_gain, known.gain, known.size), ratios, cells, searched)


def adjusted_ratios(design: Design, known: Sums, ratios: Array, code: int) -> Adjusted:
    """Return what is known of the r of an operator, of its effect at one point."""
    return _adjusted(known, ratios, [column for (one, _), column in design.by_ratio.items() if one == code])


def _adjusted(known: Sums, ratios: Array, tested: list[int], searched: NDArray[np.bool_] | None = None) -> Adjusted:
    others = np.setdiff1d(np.arange(len(ratios)), tested)
    without = Sums(known.gram[np.ix_(others, others)], known.to_gain[others], known.gain, known.size)
    kept = ratios[others]
    if searched is not None:
        kept = best_common(without, kept, searched[others])
    columns = np.array(tested)
    cross = known.gram[np.ix_(others, columns)]
    solved = np.linalg.solve(inner(without.gram, kept), np.c_[without.to_gain, cross])
    own = known.gram[np.ix_(columns, columns)]
    return Adjusted(
        score=known.to_gain[columns] - cross.T @ solved[:, 0],
        information=own - cross.T @ solved[:, 1:],
        left=known.gain - float(solved[:, 0] @ without.to_gain),
        size=known.size,
        scale=float(np.trace(own)),
    )
