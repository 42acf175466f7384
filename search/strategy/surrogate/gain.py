"""Expected gain in hypervolume, where one objective is uncertain and the others are known."""

from __future__ import annotations

import math

import numpy as np
import scipy

from search.strategy.proposals.encoding import Values

__all__ = ["expected_gain", "expected_improvement"]

CELLS = {0: 1, 1: 400, 2: 24, 3: 9}


def expected_gain(mean: Values, deviation: Values, others: Values, front: Values, reference: Values) -> Values:
    """Return the expected gain in hypervolume of `m` candidates, everything to minimise.

    With F(c) the best first objective on the front at other objectives no greater than c, a candidate (e, c₀)
    adds ∫ max(F(c) − e, 0) dc over c ≥ c₀. F is constant on the cells of the grid that the front spans, so
    the expectation over e ~ N(mean, deviation²) is a sum of cells times expected improvements: exact for one
    or two other objectives; with more, and with long fronts, on a thinned grid.

    Args:
        mean: `(m,)`, expected first objective.
        deviation: `(m,)`, its standard deviation.
        others: `(m, k)`, the other objectives, k from 0.
        front: `(f, 1 + k)`, candidates that are there; dominated ones may be among them.
        reference: `(1 + k,)`, the worst values that count.
    """
    front = front[(front < reference).all(axis=1)]
    k = others.shape[1]
    edges = [_edges(front[:, 1 + axis], float(reference[1 + axis]), CELLS.get(k, 4)) for axis in range(k)]
    level = np.full([len(edge) for edge in edges], float(reference[0]))
    for point in front[np.argsort(-front[:, 0])]:
        reached = tuple(slice(int(np.searchsorted(edge, c)), None) for edge, c in zip(edges, point[1:], strict=True))
        level[reached] = point[0]
    improvement = expected_improvement(mean[:, None], deviation[:, None], level.reshape(1, -1))
    volume = np.ones((len(mean), 1))
    for axis, edge in enumerate(edges):
        ends = np.append(edge[1:], reference[1 + axis])
        length = np.clip(ends - np.maximum(edge, others[:, axis : axis + 1]), 0.0, None)
        volume = (volume[:, :, None] * length[:, None, :]).reshape(len(mean), -1)
    return np.asarray((improvement * volume).sum(axis=1))


def expected_improvement(mean: Values, deviation: Values, level: Values) -> Values:
    """Return E[max(level − e, 0)] for e ~ N(mean, deviation²); arguments broadcast."""
    z = (level - mean) / deviation
    density = np.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)
    return np.asarray(np.maximum(deviation * (z * scipy.special.ndtr(z) + density), 0.0))


def _edges(values: Values, reference: float, most: int) -> Values:
    """Return the lower ends of the cells along one objective: −∞ (far below), then the front's values."""
    inside = np.unique(values)
    if len(inside) > most:
        inside = inside[np.unique(np.linspace(0, len(inside) - 1, most).round().astype(int))]
    low = min(float(inside[0]) if inside.size else reference, reference)
    return np.concatenate([[low - 1e6], inside])
