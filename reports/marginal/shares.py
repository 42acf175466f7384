"""Importance: what share of the differences in quality each fusion point accounts for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reports.marginal.cells import Effects, Line
from reports.one_thread import one_thread

__all__ = ["Importance", "Share", "importance_of"]

Array = NDArray[np.float64]

DRAWS = 2000
ERROR = 0.05


@dataclass(frozen=True, slots=True)
class Share:
    """A share of the variance, 0 to 1, with its 95 % interval.

    Args:
        name: The points, or what else.
        value: The share.
        low: Lower end.
        high: Upper end.
        p: Of: it is all the same which operator stands there; holds for all points together.
        evidence: Whether there is enough evidence against that.
    """

    name: str
    value: float
    low: float
    high: float
    p: float = 1.0
    evidence: bool = False


@dataclass(frozen=True, slots=True)
class Importance:
    """Shares that add up to 1.

    Args:
        points: A share of each line of points, those with evidence before all others, the largest first; without those
            where one operator alone was tried.
        ratios: The share of r, at all points together; `None` where no operator has several.
        rest: What operators and r at points do not explain: seeds, interactions, what else differs.
    """

    points: tuple[Share, ...]
    ratios: Share | None
    rest: Share


@one_thread()
def importance_of(effects: Effects, *, draws: int = DRAWS, seed: int = 0) -> Importance | None:
    """Return the importance of each point, or `None` without a model.

    Were networks drawn at random, with each operator and each r that was tried equally likely at each point, the
    variance of their quality would be a sum: of each point's, `V = mean_o e_o²` of the effects `e_o` of its operators,
    of r's, and of the noise. The importance is V as a share of it. V is estimated without bias, from effects `ê` that
    are not shrunk, with covariance `σ² C`: `V = mean_o ê_o² - σ² tr C / k`, at least 0.

    The interval is a parametric bootstrap: effects are drawn around their estimates, with that covariance, and the
    noise, from its χ² distribution; the ends are percentiles of the shares, the bias of drawing taken off.

    Args:
        effects: The effects.
        draws: Bootstrap draws.
        seed: Of these draws.
    """
    if effects.fitted is None:
        return None
    lines = [line for line in effects.points if line.adjusted is not None]
    drawn = _drawn(
        [*lines, *effects.ratios], _weights(effects, lines), (effects.fitted.noise, effects.size), draws, seed
    )
    first, last = len(lines), len(lines) + len(effects.ratios)
    merged = np.concatenate(
        [drawn[:, :first], drawn[:, first:last].sum(axis=1, keepdims=True), drawn[:, last:]], axis=1
    )
    shares = merged / np.maximum(merged.sum(axis=1, keepdims=True), 1e-300)
    low, high = np.percentile(shares[1:], [100 * ERROR / 2, 100 - 100 * ERROR / 2], axis=0)
    low, high = np.minimum(low, shares[0]), np.maximum(high, shares[0])
    points = [
        Share(line.name, float(shares[0, at]), float(low[at]), float(high[at]), line.p, line.evidence)
        for at, line in enumerate(lines)
    ]
    ratios, rest = (
        Share(name, float(shares[0, at]), float(low[at]), float(high[at])) for name, at in (("r", -2), ("", -1))
    )
    points.sort(key=lambda share: (not share.evidence, -share.value))
    return Importance(tuple(points), ratios if effects.ratios else None, rest)


def _weights(effects: Effects, lines: Sequence[Line]) -> list[float]:
    """Return how often the choice of each line is made in a network drawn at random: of r, wherever its operator is."""
    often = [
        sum(1 / len(line.cells) for line in effects.points if ratio.names[0] in line.cells) for ratio in effects.ratios
    ]
    return [1.0] * len(lines) + often


def _drawn(
    lines: Sequence[Line], weights: Sequence[float], noise_of: tuple[float, int], draws: int, seed: int
) -> Array:
    """Return `(1 + draws, lines + 1)` variances: of the choice of each line, and of the noise; first the estimates."""
    rng = np.random.default_rng(seed)
    known = [line.adjusted for line in lines if line.adjusted is not None]
    noise, size = noise_of
    columns = []
    for adjusted, weight in zip(known, weights, strict=True):
        effects, covariance = adjusted.free()
        values, vectors = np.linalg.eigh(noise * covariance)
        root = vectors * np.sqrt(np.maximum(values, 0.0))
        around = effects + rng.standard_normal((draws, len(effects))) @ root.T
        bias = float(np.maximum(values, 0.0).sum()) / len(effects)
        estimate = (effects @ effects) / len(effects) - bias
        variances = (around**2).mean(axis=1) - 2 * bias
        columns.append(weight * np.maximum(np.concatenate([[estimate], variances]), 0.0))
    noises = noise * np.concatenate([[1.0], rng.chisquare(size - 1, draws) / (size - 1)])
    return np.stack([*columns, noises], axis=1)
