"""Candidates with planted truths, for the tests of effects and importance."""

from __future__ import annotations

import numpy as np

from reports.marginal.design import Choice

KINDS: dict[str, tuple[int | None, ...]] = {
    "sum": (None,), "concat": (None,), "sk": (2, 4, 8), "aff": (2, 4, 8), "iaff": (2, 4, 8),
}  # fmt: skip
NAMES = [f"p{point}" for point in range(8)]


def drawn(rng: np.random.Generator, count: int, points: int = 8) -> list[list[Choice]]:
    """A uniform network of each operator, then random ones."""
    rows = [[(op, ratios[0])] * points for op, ratios in KINDS.items()][:count]
    while len(rows) < count:
        operators = [list(KINDS)[place] for place in rng.integers(len(KINDS), size=points)]
        rows.append([(op, KINDS[op][rng.integers(len(KINDS[op]))]) for op in operators])
    return rows


def with_operator(rows: list[list[Choice]], point: int, operator: str) -> np.ndarray:
    """Which of them have the operator at the point."""
    return np.array([row[point][0] == operator for row in rows], float)
