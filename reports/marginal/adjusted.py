"""What the candidates say of some columns, given all others: the operators at a point, or the r of an operator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from reports.marginal.design import Design, Row
from reports.marginal.shrinkage import CELLS, Sums, inner

__all__ = [
    "Adjusted",
    "Posterior",
    "adjusted_ratios",
    "adjusted_row",
    "p_of",
    "searched_row",
]

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
        volume: `log |V₀|`.
    """

    score: Array
    information: Array
    left: float
    size: int
    scale: float
    volume: float

    @property
    def noise(self) -> float:
        """σ² with free effects; `inf` where no candidate is left to tell it."""
        taken, rank = self.taken()
        rest = self.size - 1 - rank
        return max(self.left - taken, 0.0) / rest if rest > 0 else float("inf")

    def evidence(self, taken: float = 0.0) -> float:
        """Return the log of the most likelihood, σ² being free, where so much is taken off `left`; up to a constant."""
        still = self.left - taken
        return -0.5 * self.volume - 0.5 * (self.size - 1) * float(np.log(still)) if still > 0 else -np.inf

    def taken(self) -> tuple[float, int]:
        """Return what all effects take off `left`, and how many of them are free."""
        inverse, rank = self._inverse()
        return float(self.score @ inverse @ self.score), rank

    def taken_alone(self) -> list[float]:
        """Return what each effect takes off `left` where all others are the same; 0 where nothing tells."""
        own = np.diag(self.information)
        seen = own > LEAST_SEEN * self.scale
        return [
            float(score**2 / mine) if told else 0.0 for score, mine, told in zip(self.score, own, seen, strict=True)
        ]

    def free(self) -> tuple[Array, Array]:
        """Return the effects without shrinkage, and their covariance in units of σ²; each against the mean."""
        inverse, _ = self._inverse()
        centring = np.eye(len(self.score)) - 1 / len(self.score)
        return centring @ inverse @ self.score, centring @ inverse @ centring

    def posterior(self) -> Posterior:
        """Return what is known of the effects with shrinkage of their own, averaged by the evidence for it.

        What shrinkage takes off an effect counts as uncertainty, too: a single operator that stands out is shrunk by
        the company of the others.
        """
        logs, means, variances = zip(*map(self.shrunk, OWN), strict=True)
        shares = np.exp(np.array(logs) - max(logs))
        shares /= shares.sum()
        each = np.array(means)
        expected = shares @ each
        variance = shares @ (np.array(variances) + (each - expected) ** 2) + (self.free()[0] - expected) ** 2
        return Posterior(expected, np.sqrt(np.maximum(variance, 0.0)))

    def shrunk(self, ratio: float) -> tuple[float, Array, Array]:
        """Return the log evidence of a ratio; under it, expectations and variances of the effects against the mean."""
        unit = np.eye(len(self.score))
        centring = unit - 1 / len(self.score)
        inverse = np.linalg.inv(self.information + unit / ratio**2)
        mean = inverse @ self.score
        left = max(self.left - float(mean @ self.score), 1e-12 * self.left)
        volume = float(np.linalg.slogdet(unit + ratio**2 * self.information)[1])
        log = -0.5 * (volume + self.volume) - 0.5 * (self.size - 1) * float(np.log(left))
        return log, centring @ mean, left / (self.size - 1) * np.diag(centring @ inverse @ centring)

    def _inverse(self) -> tuple[Array, int]:
        """Return the pseudo-inverse of the information, and its rank."""
        values, vectors = np.linalg.eigh(self.information)
        seen = values > LEAST_SEEN * max(self.scale, 1.0)
        kept = vectors[:, seen]
        return (kept / values[seen]) @ kept.T, int(seen.sum())


def p_of(tried: Sequence[Adjusted]) -> float:
    """Return p of: all effects are the same, where it is not known which shrinkage of the other columns is right.

    The likelihood ratio of free effects and of none, each with the shrinkage that is the most likely *for it*:
    were that of none taken for both, the other columns would take along what is the effects' own wherever a search
    changed them together. With `n` candidates and `k` free effects the ratio `2 L` is judged as

        F = (n - 1 - k) / k · (exp(2 L / (n - 1)) - 1)

    which is the generalised F test, exact, where one shrinkage alone is tried. Of two tests the smaller p, doubled: all
    effects at once, and the one of them that differs most from all others taken together, its p times their number. The
    second sees more where a search has tried one of them nearly always.

    Args:
        tried: The same columns and candidates, under different shrinkage of all other columns.
    """
    size, none = tried[0].size, max(one.evidence() for one in tried)
    taken = [one.taken() for one in tried]
    together = _p_of(
        max(one.evidence(both) for one, (both, _) in zip(tried, taken, strict=True)) - none, size, taken[0][1]
    )
    if len(tried[0].score) < 3:
        return together
    each = zip(*(map(one.evidence, one.taken_alone()) for one in tried), strict=True)
    alone = [_p_of(max(logs) - none, size, 1) for logs in each]
    return min(1.0, 2 * together, 2 * len(alone) * min(alone))


def _p_of(log_ratio: float, size: int, rank: int) -> float:
    """Return p of a log likelihood ratio of so many free effects; 1 where no candidate is left to tell the noise."""
    rest = size - 1 - rank
    if rank == 0 or rest <= 0 or not np.isfinite(log_ratio):
        return 1.0
    return float(scipy.special.fdtrc(rank, rest, rest / rank * np.expm1(max(2 * log_ratio / (size - 1), 0.0))))


def adjusted_row(design: Design, known: Sums, ratios: Array, row: Row) -> Adjusted:
    """Return what is known of the operators at a row; those at the other rows count for what they do everywhere."""
    return _adjusted(_without(design, known, row), ratios, list(row.cells))


def searched_row(design: Design, known: Sums, ratios: Array, row: Row, searched: NDArray[np.bool_]) -> list[Adjusted]:
    """Return what `adjusted_row` does under each of `CELLS` as the one ratio of some columns, `(p,)`."""
    apart = _without(design, known, row)
    return [_adjusted(apart, np.where(searched, one, ratios), list(row.cells)) for one in CELLS]


def adjusted_ratios(design: Design, known: Sums, ratios: Array, code: int) -> Adjusted:
    """Return what is known of the r of an operator, of its effect at one point."""
    return _adjusted(known, ratios, [column for (one, _), column in design.by_ratio.items() if one == code])


def _without(design: Design, known: Sums, row: Row) -> Sums:
    """Return the sums where the counts of operators are those at the other rows."""
    gram, to_gain = known.gram.copy(), known.to_gain.copy()
    cells, counts = list(row.cells), [design.by_operator[code] for code in row.operators]
    to_gain[counts] -= to_gain[cells]
    gram[counts] -= gram[cells]
    gram[:, counts] -= gram[:, cells]
    return Sums(gram, to_gain, known.gain, known.size)


def _adjusted(known: Sums, ratios: Array, tested: list[int]) -> Adjusted:
    from scipy.linalg import cho_solve, cholesky

    others, columns = np.setdiff1d(np.arange(len(ratios)), tested), np.array(tested)
    kept, to_gain = ratios[others], known.to_gain[others]
    cross, own = known.gram[np.ix_(others, columns)], known.gram[np.ix_(columns, columns)]
    factor = cholesky(inner(known.gram[np.ix_(others, others)], kept), lower=True, overwrite_a=True, check_finite=False)
    solved = cho_solve((factor, True), np.c_[to_gain, cross], check_finite=False)
    return Adjusted(
        score=known.to_gain[columns] - cross.T @ solved[:, 0],
        information=own - cross.T @ solved[:, 1:],
        left=known.gain - float(solved[:, 0] @ to_gain),
        size=known.size,
        scale=float(np.trace(own)),
        volume=2 * float(np.log(np.diagonal(factor)).sum() + np.log(kept).sum()),
    )
