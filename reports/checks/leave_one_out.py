"""What a simple model of the architectures predicts of each network from all others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reports.run.catalog import Catalog, Entry

__all__ = ["LEAST", "Predictions", "leave_one_out"]

Values = NDArray[np.float64]
LEAST, MOST = 12, 400
RATIOS = np.logspace(-3.0, 3.0, 25)


@dataclass(frozen=True, slots=True)
class Predictions:
    """What was predicted of networks, and what training showed.

    Args:
        mean: Predicted quality `(n,)`.
        deviation: Its standard deviation, noise of a training included `(n,)`.
        measured: What came out `(n,)`.
        model: What predicted, in a few words.
    """

    mean: Values
    deviation: Values
    measured: Values
    model: str

    @property
    def skill(self) -> float:
        """1 − Σ (measured − predicted)² / Σ (measured − mean of the others)²: 0: no better than the mean."""
        count = len(self.measured)
        apart = (self.measured - self.measured.mean()) * count / (count - 1)
        total = float((apart**2).sum())
        return 1.0 - float(((self.measured - self.mean) ** 2).sum()) / total if total > 0 else 0.0


def leave_one_out(catalog: Catalog) -> Predictions | None:
    """Return what an additive Gaussian model predicts of each complete candidate from all others.

    Quality is a mean, plus a part for each choice at each point, plus noise; both are normal, their variances those
    of the greatest likelihood. With C the covariance of the values y, the prediction of the i-th from all others is
    y_i − (C⁻¹ y)_i / (C⁻¹)_ii, its variance 1 / (C⁻¹)_ii (Rasmussen and Williams, Gaussian Processes for Machine
    Learning, 2006, eq. 5.12). `None` for fewer than twelve, or where they do not differ; of many, 400 spread over the
    ranking are taken.
    """
    name = catalog.quality.name
    entries = [entry for entry in catalog.by_quality if entry.values[name] is not None]
    if len(entries) > MOST:
        entries = [entries[place] for place in np.linspace(0, len(entries) - 1, MOST).round().astype(int)]
    values = np.array([entry.values[name] for entry in entries], dtype=np.float64)
    if len(values) < LEAST or np.ptp(values) == 0.0:
        return None
    mean, deviation = _left_out((values - values.mean()) / values.std(), _features(entries))
    model = "an additive model of the operators"
    return Predictions(values.mean() + values.std() * mean, values.std() * deviation, values, model)


def _features(entries: Sequence[Entry]) -> Values:
    """Return which choice each network has at each point, `(n, features)`, centred and of equal total weight."""
    choices = [dict(entry.architecture.choices) for entry in entries]
    columns: list[list[float]] = []
    for point in choices[0]:
        here = [one[point] for one in choices]
        operators = [choice.op for choice in here]
        columns += [[float(one == other) for one in operators] for other in dict.fromkeys(operators)]
        columns += [[float(one == other) for one in here] for other in dict.fromkeys(here)]
        resamplers = [choice.resampler for choice in here]
        if len(set(resamplers)) > 1:
            columns += [[float(one == other) for one in resamplers] for other in dict.fromkeys(resamplers)]
    features: Values = np.array(columns, dtype=np.float64).T
    features -= features.mean(axis=0)
    features /= max(float(np.sqrt((features**2).sum() / len(features))), 1e-12)
    return features


def _left_out(values: Values, features: Values) -> tuple[Values, Values]:
    """Return mean and deviation of each value as predicted from all others, for the likeliest share of noise."""
    spread, axes = np.linalg.eigh(features @ features.T)
    spread = np.maximum(spread, 0.0)
    squares = (axes.T @ values) ** 2
    ratio, scale = max((_fit(spread, squares, ratio) for ratio in RATIOS), key=lambda fit: fit[0])[1:]
    inverse = (axes / (spread + ratio)) @ axes.T
    # The mean is not known: a flat prior of it takes its direction out.
    along = inverse.sum(axis=1)
    inverse -= np.outer(along, along) / along.sum()
    own = np.diag(inverse)
    return values - (inverse @ values) / own, np.sqrt(scale / own)


def _fit(spread: Values, squares: Values, ratio: float) -> tuple[float, float, float]:
    """Return the logarithm of the restricted likelihood of a ratio of noise to parts, the ratio, and their scale.

    Features and values are centred: the mean is one of the axes, with no spread, and takes one degree of freedom.
    """
    total, freedom = spread + ratio, len(squares) - 1
    scale = float((squares / total).sum()) / freedom
    return -0.5 * (freedom * np.log(scale) + float(np.log(total).sum()) - np.log(ratio)), float(ratio), scale
