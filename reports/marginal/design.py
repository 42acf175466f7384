"""What the candidates chose, as the columns of a linear model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Choice", "Design", "Row", "make_design"]

Array = NDArray[np.float64]
Choice = tuple[str, int | None]
"""Operator, with its options, and r."""


@dataclass(frozen=True, slots=True)
class Row:
    """Points that have the same operator as each other in every candidate: nothing tells them apart.

    Args:
        points: Their places, in the network's order.
        operators: The operators that were tried there, by place in `Design.operators`.
        cells: Their columns, one an operator.
    """

    points: tuple[int, ...]
    operators: tuple[int, ...]
    cells: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Design:
    """Candidates and their choices; all columns are centred.

    Args:
        points: Names of the fusion points.
        operators: Names of the operators, sorted.
        codes: Operator of each candidate at each point, `(n, points)`, by place in `operators`.
        ratios: r of each candidate at each point, `(n, points)`; 0 where there is none.
        rows: Points by what tells them apart.
        columns: `(n, p)`: first the cells, row by row; then a count of each operator, then of each operator's r, over
            all rows; then what else differs between the candidates.
        group: What each column belongs to, `(p,)`: 0 a cell, 1 an operator, 2 an r, 3 what else differs.
        by_operator: The columns of operators, by place in `operators`.
        by_ratio: The columns of r, by place in `operators` and r; only of operators with several.
    """

    points: tuple[str, ...]
    operators: tuple[str, ...]
    codes: NDArray[np.int64]
    ratios: NDArray[np.int64]
    rows: tuple[Row, ...]
    columns: Array
    group: NDArray[np.int64]
    by_operator: dict[int, int]
    by_ratio: dict[tuple[int, int], int]

    @property
    def size(self) -> int:
        """Number of candidates."""
        return len(self.codes)

    def tried(self, row: Row) -> dict[int, NDArray[np.bool_]]:
        """Return which candidates have an operator at a row, by place in `operators`."""
        return {code: np.equal(self.codes[:, row.points[0]], code) for code in row.operators}

    def with_ratio(self, code: int, r: int) -> NDArray[np.bool_]:
        """Return at which points candidates have an operator with this r, `(n, points)`."""
        return np.equal(self.codes, code) & np.equal(self.ratios, r)


def make_design(points: Sequence[str], chosen: Sequence[Sequence[Choice]], beside: Any = None) -> Design:
    """Return the model's columns.

    Args:
        points: Names of the fusion points.
        chosen: For each candidate its choice at each point.
        beside: `(n, c)` numbers that differ between the candidates beside their choices; `None` for nothing.
    """
    operators = tuple(sorted({op for choices in chosen for op, _ in choices}))
    place = {name: index for index, name in enumerate(operators)}
    shape = (len(chosen), len(points))
    codes = np.array([[place[op] for op, _ in choices] for choices in chosen], np.int64).reshape(shape)
    ratios = np.array([[r or 0 for _, r in choices] for choices in chosen], np.int64).reshape(shape)
    rows = _rows(codes)
    cells = [codes[:, row.points[0]] == code for row in rows for code in row.operators]
    at_rows = codes[:, [row.points[0] for row in rows if len(row.operators) > 1]]
    counts = {code: np.sum(at_rows == code, axis=1) for code in range(len(operators))}
    by_ratio = _ratio_counts(codes, ratios, rows)
    others = np.zeros((shape[0], 0)) if beside is None else np.asarray(beside, np.float64)
    parts = [cells, list(counts.values()), list(by_ratio.values()), list(others.T)]
    flat = [column for part in parts for column in part]
    columns = np.array(flat, np.float64).reshape(len(flat), shape[0]).T
    first = np.cumsum([0, *map(len, parts)])
    return Design(
        points=tuple(points),
        operators=operators,
        codes=codes,
        ratios=ratios,
        rows=rows,
        columns=columns - columns.mean(axis=0) if len(columns) else columns,
        group=np.repeat(np.arange(len(parts)), [len(part) for part in parts]),
        by_operator={code: int(first[1]) + index for index, code in enumerate(counts)},
        by_ratio={key: int(first[2]) + index for index, key in enumerate(by_ratio)},
    )


def _rows(codes: NDArray[np.int64]) -> tuple[Row, ...]:
    """Return the points by their columns of `codes`; where one operator alone was tried, each for itself."""
    together: dict[tuple[bytes, int], list[int]] = {}
    for point, column in enumerate(codes.T):
        varies = len(column) > 0 and bool((column != column[0]).any())
        together.setdefault((column.tobytes(), -1 if varies else point), []).append(point)
    rows, first = [], 0
    for places in together.values():
        tried = tuple(int(code) for code in np.unique(codes[:, places[0]]))
        rows.append(Row(tuple(places), tried, tuple(range(first, first + len(tried)))))
        first += len(tried)
    return tuple(rows)


def _ratio_counts(
    codes: NDArray[np.int64], ratios: NDArray[np.int64], rows: Sequence[Row]
) -> dict[tuple[int, int], Array]:
    """Return, for each r of an operator with several, at how many rows candidates have it.

    Points of one row count by their share of it. The mean over all r of the operator is taken off: that an operator is
    there is no matter of r.
    """
    weights = np.zeros(codes.shape[1])
    for row in rows:
        weights[list(row.points)] = 1 / len(row.points)
    counts = {}
    for code in np.unique(codes):
        known = np.unique(ratios[codes == code])
        for r in known[known > 0] if np.sum(known > 0) > 1 else ():
            share = 1 / np.sum(known > 0)
            counts[int(code), int(r)] = ((codes == code) & (ratios == r)) @ weights - share * (codes == code) @ weights
    return counts
