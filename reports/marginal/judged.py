"""Which rows are sure to matter, given all others, and what is known of the effects of each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from reports.marginal.adjusted import Adjusted, Posterior, adjusted_row, p_of, searched_row
from reports.marginal.design import Design, Row
from reports.marginal.shrinkage import CELLS, Fit, best_common, fit, fit_with, sums
from reports.marginal.standing import Standing, standing

__all__ = ["CERTAIN", "Judged", "holm", "judge"]

Array = NDArray[np.float64]

CERTAIN = 0.01
"""There is evidence for a line where p, which holds for all lines together, is at most this."""
# A rival whose log evidence is that much less than a row's counts for nothing.
FAR = 7.0
ODDS = 3.0
"""How much likelier it must be that a row matters than that any of the others does in its place."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What is known of rows.

    Args:
        fitted: The model, in which rows that are sure to matter have ratios of their own.
        p: Of each row with several operators: it is all the same which of them is chosen; holds for all rows together.
            1, too, where another row may matter in its place.
        effects: The effects of its operators.
    """

    fitted: Fit
    p: dict[Row, float]
    effects: dict[Row, Posterior]


def judge(design: Design, gain: Array) -> Judged:
    """Return what is known of rows.

    With one ratio for all, a point that matters much would take all others along. The surest row comes first, then two
    more, then four: what looks sure beside it may be no more than what it was changed together with. That a row matters
    must also be likelier than that any of the others does in its place: of points that were changed together, either
    may be what matters.

    Args:
        design: At least three candidates.
        gain: Their gains, `(n,)`; not all are equal.
    """
    known, first = sums(design, gain), fit(design, gain)
    varied = [row for row in design.rows if len(row.operators) > 1]
    scale = _scale(varied, design.size)
    ratios, entered, most = first.ratios, dict[Row, float](), 1
    while True:
        shared = _shared(design, entered)
        searched = {row: searched_row(design, known, ratios, row, shared) for row in varied}
        found = {row: standing(dict(zip(CELLS, tried, strict=True)), scale) for row, tried in searched.items()}
        plain = {row: max(p_of(tried), entered.get(row, 0.0)) for row, tried in searched.items()}
        p = dict(zip(varied, holm(list(plain.values())), strict=True))
        rivals = {row: one for row, one in found.items() if row not in entered}
        new = list[Row]()
        for row in sorted(rivals, key=plain.__getitem__):
            if p[row] > CERTAIN or len(new) == most:
                break
            near = [other for other in rivals if other != row and rivals[other].some > rivals[row].some - FAR]
            pairs = [
                _pair(adjusted_row(design, known, _own(ratios, shared, other, found[other]), row), found[other], scale)
                for other in near
            ]
            if _odds(rivals[row].some, pairs, len(rivals)) >= ODDS:
                new.append(row)
            else:
                p[row] = 1.0
        if not new:
            fitted = replace(fit_with(design, gain, ratios), explained=first.explained)
            return Judged(fitted, p, {row: one.posterior() for row, one in found.items()})
        for row in new:
            ratios = _own(ratios, np.zeros_like(shared), row, found[row])
            entered[row] = plain[row]
        ratios, most = best_common(known, ratios, _shared(design, entered)), 2 * most


def holm(values: Sequence[float]) -> list[float]:
    """Return p-values that hold all together (Holm, Scandinavian Journal of Statistics 6, 1979)."""
    order = np.argsort(values, kind="stable")
    adjusted, highest = [0.0] * len(values), 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, (len(values) - rank) * values[index]))
        adjusted[index] = highest
    return adjusted


def _scale(varied: Sequence[Row], size: int) -> float:
    """Return the scale of the common ratio that is expected where one operator stands out in each row.

    With D effects of which p are expected to be large it is `p / (D - p) / sqrt(n)` (Piironen and Vehtari, Electronic
    Journal of Statistics 11, 2017, eq. 3.12).
    """
    effects = sum(len(row.operators) for row in varied)
    return len(varied) / (effects - len(varied)) / float(np.sqrt(size)) if varied else 1.0


def _shared(design: Design, apart: Iterable[Row]) -> NDArray[np.bool_]:
    """Return which columns, `(p,)`, are cells of other rows than these."""
    shared = np.equal(design.group, 0)
    for row in apart:
        shared[list(row.cells)] = False
    return shared


def _own(ratios: Array, shared: NDArray[np.bool_], row: Row, found: Standing) -> Array:
    """Return the ratios, `(p,)`, with which a row explains the most; `shared` columns have the common one."""
    common, own = found.likeliest()
    out = np.where(shared, common, ratios)
    out[list(row.cells)] = own
    return out


def _pair(apart: Adjusted, other: Standing, scale: float) -> tuple[float, float]:
    """Return the log evidence of: another row stands out, all others having small effects; that a row does, too.

    Args:
        apart: The row, all others having the ratios with which the other one explains the most.
        other: The other row.
        scale: Of the common ratio.
    """
    found = standing(dict.fromkeys(CELLS, apart), scale)
    return other.instead, other.some + found.some - found.none


def _odds(alone: float, pairs: Sequence[tuple[float, float]], rows: int) -> float:
    """Return the odds of: a row matters, alone or beside another one, against: another one does in its place.

    Args:
        alone: The log evidence of: the row stands out.
        pairs: As of `_pair`, with each other row.
        rows: Number of rows. That two matter is less likely beforehand than that one does, by that.
    """
    if not pairs:
        return float("inf")
    against, both = np.array(pairs).T
    log = np.logaddexp.reduce([alone, *(both - np.log(rows))]) - np.logaddexp.reduce(against)
    return float(np.exp(np.clip(log, -700.0, 700.0)))
