"""Simulated studies of two networks, and the tests whose errors are counted. Part of `verdict_quality.py`."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri, stdtrit

from reports.comparison.components import Components, components
from reports.comparison.interval import ends

Floats = NDArray[np.float64]
CHUNK = 4_000_000


@dataclass(frozen=True, slots=True)
class World:
    """What two networks are like.

    Args:
        name: In the results.
        accuracy: Of the reference, where scores are right or wrong; `None`: normal scores.
        own: Deviation of the images' effects that one network has alone, in units of the rest's.
        seed: Variance of the seeds' own effects in units of what the test set makes of them; candidate, reference.
        gain: True difference, in units of the score.
    """

    name: str
    accuracy: float | None = None
    own: float = 0.5
    seed: tuple[float, float] = (0.0, 0.0)
    gain: float = 0.0

    def draw(self, rng: np.random.Generator, studies: int, seeds: int, images: int) -> tuple[Floats, Floats]:
        """Return the scores (studies, seeds, images) of both."""
        common = rng.standard_normal((studies, 1, images), dtype=np.float32)
        both = []
        for arm in range(2):
            own = self.own / math.sqrt(2.0) * rng.standard_normal((studies, 1, images), dtype=np.float32)
            deviation = math.sqrt(self.seed[arm] / images * self._rest())
            seed = deviation * rng.standard_normal((studies, seeds, 1), dtype=np.float32)
            noise = rng.standard_normal((studies, seeds, images), dtype=np.float32)
            scores = common + own + seed + noise + self._level(arm, deviation)
            both.append(scores.astype(np.float64) if self.accuracy is None else (scores > 0).astype(np.float64))
        return both[0], both[1]

    def _rest(self) -> float:
        """Return the rest's variance on the scale on which seeds have their effect: 1, or that of a probit."""
        if self.accuracy is None:
            return 1.0
        level = ndtri(self.accuracy) * math.sqrt(2.0 + self.own**2 / 2.0)
        latent = np.random.default_rng(0).standard_normal(100_000) * math.sqrt(1.0 + self.own**2 / 2.0) + level
        right = ndtr(latent)
        slope = np.exp(-(latent**2) / 2.0) / math.sqrt(2.0 * math.pi)
        return float((right * (1.0 - right)).mean() / slope.mean() ** 2)

    def _level(self, arm: int, deviation: float) -> float:
        shift = self.gain if arm == 0 else 0.0
        if self.accuracy is None:
            return shift
        return float(ndtri(self.accuracy + shift)) * math.sqrt(2.0 + self.own**2 / 2.0 + deviation**2)


def studies(world: World, count: int, seeds: int, images: int, seed: int) -> Iterator[Components]:
    """Yield the components of studies, some at a time."""
    rng = np.random.default_rng([seed, seeds, images])
    at_once = max(1, CHUNK // (seeds * images))
    while count > 0:
        now = min(at_once, count)
        yield components(*world.draw(rng, now, seeds, images))
        count -= now


def missed(parts: Components, truth: float) -> NDArray[np.bool_]:
    """Return where the 95 % interval does not hold the truth."""
    low, high = ends(parts, 0.95)
    return (truth < low) | (high < truth)


def missed_by_seeds(parts: Components) -> NDArray[np.bool_]:
    """Return where a t-test over the seeds alone (Welch) calls a difference."""
    variance = parts.between_seeds[0] + parts.between_seeds[1]
    noise = sum(part**2 / (seeds - 1) for part, seeds in zip(parts.between_seeds, parts.seeds, strict=True))
    freedom = np.where(noise > 0, variance**2 / np.maximum(noise, 1e-300), 1.0)
    return np.abs(parts.gain) > stdtrit(freedom, 0.975) * np.sqrt(variance)


def missed_by_images(parts: Components) -> NDArray[np.bool_]:
    """Return where a paired t-test over the images alone, the seeds averaged, calls a difference."""
    return np.abs(parts.gain) > stdtrit(parts.images - 1, 0.975) * np.sqrt(parts.between_images)


def row(**values: Any) -> dict[str, Any]:
    """Return a row of results with its numbers rounded."""
    return {key: float(f"{value:.4g}") if isinstance(value, float) else value for key, value in values.items()}
