"""What anyone could find in a planted study: the likeliest point and operator for who knows all but these.

Known are the noise, the spread of the small effects, and that one operator at one point adds so much. With `X_p` the
operators at point p, one-hot, and `x` the candidates that have a certain operator at a certain point,

    gain ~ N(mean + effect x, noise² I + small² Σ_p X_p X_p'),

the mean being flat. All points and operators are as likely as each other beforehand, so that no estimator is right more
often, whatever the sampler asked for: what it asks for depends on what was measured alone.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["likeliest"]

Array = NDArray[np.float64]


def likeliest(
    codes: NDArray[np.int64], gain: Array, operators: int, *, effect: float, small: float, noise: float
) -> tuple[int, int, float]:
    """Return the likeliest point and operator, and how likely these are.

    Args:
        codes: Operator of each candidate at each point, `(n, points)`.
        gain: What was measured, `(n,)`.
        operators: Number of operators.
        effect: What the planted one adds.
        small: Standard deviation of all other effects.
        noise: Standard deviation of a training.
    """
    have = codes[:, :, None] == np.arange(operators)
    flat = have.reshape(len(gain), -1).astype(np.float64)
    inverse = np.linalg.inv(noise**2 * np.eye(len(gain)) + small**2 * flat @ flat.T)
    weights = inverse.sum(axis=0)
    left = gain[:, None] - effect * flat
    left -= weights @ left / weights.sum()
    logs = -0.5 * np.einsum("ih,ij,jh->h", left, inverse, left)
    shares = np.exp(logs - logs.max())
    best = int(shares.argmax())
    return best // operators, best % operators, float(shares[best] / shares.sum())
