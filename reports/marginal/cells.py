"""Marginal effects: of each operator at each point, and of each r, given all else that the candidates had."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from reports.marginal.adjusted import Adjusted, Posterior, adjusted_ratios, adjusted_row, p_of
from reports.marginal.design import Choice, Design, Row, make_design
from reports.marginal.judged import CERTAIN, Judged, holm, judge
from reports.marginal.shrinkage import Fit, sums
from reports.one_thread import one_thread

__all__ = ["ALIKE", "CERTAIN", "LEAST", "Cell", "Effects", "Line", "effects_of"]

Array = NDArray[np.float64]

LEAST = 4
"""Candidates that a model needs."""
ALIKE = 0.9
"""Points with at least this Cramér's V nearly always changed together."""
ERROR = 0.05
# The squares of more are no numbers any more.
FAR = 1e100


@dataclass(frozen=True, slots=True)
class Cell:
    """An operator at a point, or an r of an operator.

    Args:
        label: The operator, or r.
        n: Candidates that have it.
        mean: Their mean quality, as it is.
        effect: What it adds to the quality, more being better, beyond the mean of what was tried in its place; `None`
            where the model was not fitted or nothing else was tried.
        low: Lower end of the 95 % interval.
        high: Upper end.
        evidence: Whether there is enough evidence that it differs from that mean.
    """

    label: str
    n: int
    mean: float
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    evidence: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """Cells that stand in each other's place.

    Args:
        names: Points that always had the same operator as each other, or one operator.
        cells: What was tried, by label.
        p: Of: it is all the same which of them is chosen; holds for all lines together. 1, too, where another line may
            matter in its place.
        evidence: Whether that is at most `CERTAIN`.
        adjusted: What the effects come from; `None` where there is nothing to tell.
    """

    names: tuple[str, ...]
    cells: dict[str, Cell]
    p: float = 1.0
    evidence: bool = False
    adjusted: Adjusted | None = None

    @property
    def name(self) -> str:
        """Its names in one."""
        return ", ".join(self.names)


@dataclass(frozen=True, slots=True)
class Effects:
    """What the candidates say of operators at points.

    Args:
        design: The candidates.
        gain: Their quality, turned so that more is better, `(n,)`.
        points: A line for the points that were told apart, in the network's order.
        ratios: A line for each operator with several r.
        alike: Pairs of names of `points` that nearly always changed together, with Cramér's V.
        fitted: The model; `None` where there is none.
        problem: Why there is none; empty where there is one.
    """

    design: Design
    gain: Array
    points: tuple[Line, ...]
    ratios: tuple[Line, ...]
    alike: tuple[tuple[str, str, float], ...]
    fitted: Fit | None
    problem: str

    @property
    def size(self) -> int:
        """Number of candidates."""
        return self.design.size


@one_thread()
def effects_of(
    points: Sequence[str], chosen: Sequence[Sequence[Choice]], gain: Any, *, sign: float = 1.0, beside: Any = None
) -> Effects:
    """Return what candidates say of operators at points.

    Args:
        points: Names of the fusion points.
        chosen: For each candidate its choice at each point.
        gain: Their quality, turned so that more is better; all are finite.
        sign: What the quality was multiplied by for that.
        beside: `(n, c)` numbers that differ between the candidates beside their choices.
    """
    gains = np.asarray(gain, np.float64)
    design = make_design(points, chosen, beside)
    problem = _problem(design, gains)
    found = None if problem else judge(design, gains)
    return Effects(
        design=design,
        gain=gains,
        points=_point_lines(design, gains, sign, found),
        ratios=_ratio_lines(design, gains, sign, found),
        alike=_alike(design),
        fitted=found.fitted if found is not None else None,
        problem=problem,
    )


def _problem(design: Design, gain: Array) -> str:
    if design.size < LEAST:
        return f"It takes {LEAST} complete candidates with a quality; there {_are(design.size)}."
    if float(np.abs(gain).max()) > FAR:
        return f"Qualities of more than {FAR:.0e} are too far apart to calculate with."
    # What differs by less is the rounding of numbers.
    if np.ptp(gain) <= 1e-12 * max(1.0, float(np.abs(gain).max())):
        return "All complete candidates have the same quality."
    if all(len(row.operators) < 2 for row in design.rows) and not design.by_ratio:
        return "All complete candidates have the same operators."
    return ""


def _are(count: int) -> str:
    return {0: "are none", 1: "is 1"}.get(count, f"are {count}")


def _point_lines(design: Design, gain: Array, sign: float, found: Judged | None) -> tuple[Line, ...]:
    bare = []
    for row in design.rows:
        labels = [design.operators[code] for code in row.operators]
        names = tuple(design.points[place] for place in row.points)
        bare.append(Line(names, _cells(labels, list(design.tried(row).values()), sign * gain)))
    if found is None:
        return tuple(bare)
    known = sums(design, gain)
    return tuple(
        _judged(line, adjusted_row(design, known, found.fitted.ratios, row), found.effects[row], found.p[row])
        if row in found.p
        else line
        for line, row in zip(bare, design.rows, strict=True)
    )


def _ratio_lines(design: Design, gain: Array, sign: float, found: Judged | None) -> tuple[Line, ...]:
    codes = list(dict.fromkeys(code for code, _ in design.by_ratio))
    bare = []
    for code in codes:
        ratios = [r for one, r in design.by_ratio if one == code]
        chosen = [np.any(design.with_ratio(code, r), axis=1, keepdims=True)[:, 0] for r in ratios]
        bare.append(Line((design.operators[code],), _cells([str(r) for r in ratios], chosen, sign * gain)))
    if found is None:
        return tuple(bare)
    known = sums(design, gain)
    apart = [adjusted_ratios(design, known, found.fitted.ratios, code) for code in codes]
    return tuple(map(_judged, bare, apart, [one.posterior() for one in apart], holm([p_of([one]) for one in apart])))


def _cells(labels: Sequence[str], chosen: Sequence[NDArray[np.bool_]], values: Array) -> dict[str, Cell]:
    return {
        label: Cell(label, int(have.sum()), float(values[have].mean()))
        for label, have in zip(labels, chosen, strict=True)
    }


def _judged(line: Line, adjusted: Adjusted, found: Posterior, p: float) -> Line:
    """Return a line with its effects; there is evidence for one where the line's intervals hold together, too."""
    evidence = p <= CERTAIN
    alone = float(scipy.special.stdtrit(adjusted.size - 1, 1 - ERROR / 2)) * found.spread
    together = float(scipy.special.stdtrit(adjusted.size - 1, 1 - ERROR / 2 / len(line.cells))) * found.spread
    cells = {
        label: replace(
            cell,
            effect=float(found.effects[at]),
            low=float(found.effects[at] - alone[at]),
            high=float(found.effects[at] + alone[at]),
            evidence=bool(evidence and abs(found.effects[at]) > together[at]),
        )
        for at, (label, cell) in enumerate(line.cells.items())
    }
    return Line(line.names, cells, p, evidence, adjusted)


def _alike(design: Design) -> tuple[tuple[str, str, float], ...]:
    """Return pairs of rows with Cramér's V of at least `ALIKE`."""
    varied = [row for row in design.rows if len(row.operators) > 1]
    coded = [(_name(design, row), _one_hot(design, row)) for row in varied]
    pairs = ((one, other, _cramer(a, b)) for (one, a), (other, b) in combinations(coded, 2))
    return tuple((one, other, v) for one, other, v in pairs if v >= ALIKE)


def _one_hot(design: Design, row: Row) -> Array:
    return np.stack(list(design.tried(row).values()), axis=1).astype(np.float64)


def _cramer(a: Array, b: Array) -> float:
    """Return Cramér's V of two one-hot codings, `(n, k)`."""
    counts, size = a.T @ b, len(a)
    expected = np.outer(a.sum(axis=0), b.sum(axis=0)) / size
    squared = float(((counts - expected) ** 2 / expected).sum()) / size
    return float(np.sqrt(squared / (min(counts.shape) - 1)))


def _name(design: Design, row: Row) -> str:
    return ", ".join(design.points[place] for place in row.points)
