"""How far two accuracies on a validation set may differ by chance."""

from __future__ import annotations

import math

__all__ = ["difference_interval", "wilson"]

Z95 = 1.959963984540054


def wilson(proportion: float, samples: int, z: float = Z95) -> tuple[float, float]:
    """Return Wilson's score interval of a proportion; it stays sound near 0 and 1.

    Args:
        proportion: Share of successes, 0 to 1.
        samples: Number of samples, at least 1.
        z: Normal quantile; 1.96 gives 95 %.
    """
    centre = proportion + z * z / (2 * samples)
    spread = z * math.sqrt(proportion * (1 - proportion) / samples + z * z / (4 * samples * samples))
    scale = 1 + z * z / samples
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


def difference_interval(first: float, second: float, samples: int, z: float = Z95) -> tuple[float, float]:
    """Return Newcombe's hybrid score interval of `first - second`.

    Both are counted as independent samples of that size. Two networks that saw the same images mostly
    err on the same ones, which makes the true interval narrower: this one errs on the side of doubt.
    Source: Newcombe, "Interval estimation for the difference between independent proportions", 1998,
    method 10.

    Args:
        first: A share of successes, 0 to 1.
        second: Another one.
        samples: Number of samples of each.
        z: Normal quantile; 1.96 gives 95 %.
    """
    low1, high1 = wilson(first, samples, z)
    low2, high2 = wilson(second, samples, z)
    difference = first - second
    return (
        difference - math.hypot(first - low1, high2 - second),
        difference + math.hypot(high1 - first, second - low2),
    )
