"""What the start of a learning curve says of its end."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Forecast", "fit", "jitter", "looks"]

Values = np.ndarray[Any, np.dtype[np.float64]]
PENALTIES = (0.03, 0.3, 3.0, 30.0)
SHARES = (0.0, 0.15, 0.5, 1.5)
LOOKS = 4


@dataclass(frozen=True, slots=True)
class Forecast:
    """A ridge regression on standardised features.

    Args:
        centre: `(p,)`, mean of each feature.
        scale: `(p,)`, what each feature is divided by.
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


def fit(features: Values, targets: Values, noise: float = 0.0, traits: int = 0) -> Forecast:
    """Return the ridge regression whose penalty has the smallest leave-one-out error.

    Args:
        features: `(n, p)`, n at least 2.
        targets: `(n,)`.
        noise: Standard deviation that no prediction can fall below.
        traits: How many of the last features describe the architecture; how much they count beside the others is
            chosen, too, and may be nothing.
    """
    centre, spread = features.mean(axis=0), features.std(axis=0)
    plain = np.where(spread > 1e-12 * np.maximum(np.abs(centre), 1.0), spread, 1.0)
    mean = float(targets.mean())
    candidates = []
    for share in SHARES if traits else SHARES[:1]:
        scale = plain.copy()
        if traits:
            scale[-traits:] = np.sqrt((spread[-traits:] ** 2).sum()) / share if share else np.inf
        x = (features - centre) / scale
        candidates += [(*_ridge(x, targets - mean, penalty), scale) for penalty in PENALTIES]
    error, weights, inverse, scale = min(candidates, key=lambda candidate: candidate[0])
    return Forecast(centre, scale, weights, mean, max(error, noise), inverse)


def _ridge(x: Values, y: Values, penalty: float) -> tuple[float, Values, Values]:
    """Return leave-one-out error, weights and inverse of the penalised Gram matrix."""
    inverse = np.asarray(np.linalg.inv(x.T @ x + penalty * np.eye(x.shape[1])), dtype=np.float64)
    weights: Values = inverse @ (x.T @ y)
    leverage = 1.0 / len(x) + ((x @ inverse) * x).sum(axis=1)
    residuals = (y - x @ weights) / np.maximum(1.0 - leverage, 1e-3)
    return float(np.sqrt((residuals**2).mean())), weights, inverse


def jitter(values: Values) -> float:
    """Return the noise of one evaluation, from how the second half of a curve by epoch, `(e,)`, bends to and fro.

    The second difference of equal independent errors has 6 times their variance; its median size over the
    half is taken, so that a few real bends do not count.
    """
    late = values[len(values) // 2 :]
    if len(late) < 4:
        return 0.0
    return 1.4826 * float(np.median(np.abs(np.diff(late, n=2)))) / float(np.sqrt(6.0))


def looks(epochs: Collection[int]) -> tuple[int, ...]:
    """Return the last of these epochs, and the last ones up to 1/2, 1/4 and 1/8 of it; fewer in a short curve."""
    last = max(epochs, default=0)
    seen = []
    for halvings in range(LOOKS):
        there = [epoch for epoch in epochs if epoch <= last / 2**halvings]
        if there:
            seen.append(max(there))
    return tuple(dict.fromkeys(seen))
