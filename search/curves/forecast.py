"""The final quality of a training, predicted from its start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Forecast", "fit", "jitter"]

Values = np.ndarray[Any, np.dtype[np.float64]]
PENALTIES = (0.03, 0.3, 3.0, 30.0)


@dataclass(frozen=True, slots=True)
class Forecast:
    """A ridge regression on standardised features.

    Args:
        centre: `(p,)`, mean of each feature.
        scale: `(p,)`, standard deviation of each feature; 1 where it does not vary.
        weights: `(p,)`.
        mean: Mean of the targets.
        deviation: Root mean square of the leave-one-out residuals, or the noise of a training where that is
            larger.
        inverse: `(p, p)`, inverse of the penalised Gram matrix.
    """

    centre: Values
    scale: Values
    weights: Values
    mean: float
    deviation: float
    inverse: Values

    def at(self, features: Values) -> tuple[float, float]:
        """Return the expected target at `features`, `(p,)`, and the standard error for one new observation."""
        position = (features - self.centre) / self.scale
        far = float(position @ self.inverse @ position)
        return self.mean + float(position @ self.weights), self.deviation * float(np.sqrt(1.0 + far))


def fit(features: Values, targets: Values, noise: float = 0.0) -> Forecast:
    """Return the ridge regression whose penalty has the smallest leave-one-out error.

    Args:
        features: `(n, p)`, n at least 2.
        targets: `(n,)`.
        noise: Standard deviation that no prediction can fall below.
    """
    centre, spread = features.mean(axis=0), features.std(axis=0)
    scale = np.where(spread > 1e-12 * np.maximum(np.abs(centre), 1.0), spread, 1.0)
    x = (features - centre) / scale
    mean = float(targets.mean())
    y = targets - mean
    gram, moment = x.T @ x, x.T @ y
    candidates = []
    for penalty in PENALTIES:
        inverse = np.linalg.inv(gram + penalty * np.eye(len(gram)))
        weights = inverse @ moment
        leverage = 1.0 / len(x) + np.einsum("ij,jk,ik->i", x, inverse, x)
        residuals = (y - x @ weights) / np.maximum(1.0 - leverage, 1e-3)
        candidates.append((float(np.sqrt((residuals**2).mean())), weights, inverse))
    error, weights, inverse = min(candidates, key=lambda candidate: candidate[0])
    return Forecast(centre, scale, weights, mean, max(error, noise), inverse)


def jitter(values: Values) -> float:
    """Return the noise of one evaluation, from how the second half of a learning curve bends to and fro.

    The second difference of equal independent errors has 6 times their variance; its median size over the
    half is taken, so that a few real bends do not count.

    Args:
        values: `(e,)`, by epoch.
    """
    late = values[len(values) // 2 :]
    if len(late) < 4:
        return 0.0
    return 1.4826 * float(np.median(np.abs(np.diff(late, n=2)))) / float(np.sqrt(6.0))
