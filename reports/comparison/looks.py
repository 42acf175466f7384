"""The confidence of each interval when one looks again after every training, so that all of them cover together.

Only the seeds are renewed from look to look, the images stay. With B the variance of a difference between single
trainings and I what the images leave over whatever the seeds, the gain after S seeds an arm has the variance

    V(S) = I + B / S

and gains of different looks have the covariance of the later one's variance: independent increments in information 1
/ V, the canonical case of group-sequential tests (Jennison and Turnbull, "Group Sequential Methods", 2000, chapter
3). The larger the images' share `q = I / V(most)`, the more alike are the looks, and the less does looking again
cost: nothing at q = 1.

What may go wrong in all, α, is spent as information comes in: α t^ρ up to the information time t = V(most) / V(S)
(Lan and DeMets 1983, with the family of Kim and DeMets 1987; ρ = 2). Early looks get little, which leaves most to
the last one. A fifth of α is kept back, because V is estimated anew at each look. The bounds are those of the normal
distribution; as confidences they hold for Student's t (the significance-level approach, chapter 3.8 there).
Intervals with them are repeated confidence intervals (chapter 9): all of them cover together, so that one may stop at
any look, for any reason, and say what the last one says.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import scipy
from numpy.typing import NDArray

__all__ = ["confidences", "information_times", "repeated_confidence"]

Floats = NDArray[np.float64]

# Nodes of the integration are this close together, in deviations of the narrowest increment.
CLOSE = 0.75
NODES = (160, 320)
# A look that adds less than this deviation to the last one that counted has its bound: hardly anything comes between.
NARROW = 0.05
STEPS = 20
RHO = 2.0
SPENT = 0.8


def repeated_confidence(
    images_share: Floats, time: Floats, least: int, most: int, confidence: float
) -> NDArray[np.float64]:
    """Return the confidence of the interval at a look, of one study or of many.

    Args:
        images_share: q, the images' share of the variance at the last look, 0 to 1; rounded down to a twentieth.
        time: Information time of this look, V(most) / V(now); rounded down to that of a look of the plan.
        least: Seeds of each arm at the first look.
        most: Seeds of each arm at the last look.
        confidence: Coverage of all looks together.
    """
    steps = np.minimum(np.floor(np.asarray(images_share) * STEPS + 1e-9).astype(int), STEPS - 1)
    times = np.broadcast_to(time, steps.shape)
    found = np.empty(steps.shape)
    for step in np.unique(steps):
        looks = information_times(step / STEPS, least, most)
        here = steps == step
        look = np.searchsorted(looks, times[here] * (1.0 + 1e-9), side="right") - 1
        found[here] = np.array(confidences(int(step), least, most, confidence))[np.maximum(look, 0)]
    return found


def information_times(images_share: float, least: int, most: int) -> NDArray[np.float64]:
    """Return V(most) / V(look) for each look, one training after the other, the arms in turns."""
    trainings = np.arange(2 * least, 2 * most + 1)
    inverse = (1.0 / (trainings // 2) + 1.0 / (trainings - trainings // 2)) / 2.0
    return 1.0 / (images_share + (1.0 - images_share) * inverse * most)


@lru_cache(maxsize=256)
def confidences(step: int, least: int, most: int, confidence: float) -> tuple[float, ...]:
    """Return the confidence of each look's interval, for a share of the images in twentieths."""
    times = information_times(step / STEPS, least, most)
    spent = SPENT * (1.0 - confidence) * times**RHO
    return tuple(float(2.0 * scipy.special.ndtr(bound) - 1.0) for bound in _bounds(times, 1.0 - spent))


def _bounds(times: NDArray[np.float64], inside: NDArray[np.float64]) -> list[float]:
    """Return ±bounds on Z at each time, within which a Brownian motion / √t stays with the given probabilities.

    By recursive integration over the density of what has stayed inside (Armitage, McPherson and Rowe 1969).
    """
    counting = _counting(times)
    nodes, weights = _nodes(float(np.sqrt(np.diff(times[counting], prepend=0.0)).min()))
    points, mass, before, bounds = np.zeros(1), np.ones(1), 0.0, []
    for time, wanted, counts in zip(times, inside, counting, strict=True):
        if counts:
            edge = _edge(points, mass, math.sqrt(time - before), wanted)
            there = edge * nodes
            mass = (_normal(there[:, None] - points[None, :], time - before) @ mass) * weights * edge
            points, before = there, time
        bounds.append(edge / math.sqrt(before))
    return bounds


def _counting(times: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which times lie far enough behind the one that counted before."""
    counting, before = np.zeros(len(times), dtype=bool), -1.0
    for index, time in enumerate(times):
        if time - before >= NARROW**2:
            counting[index], before = True, time
    return counting


@lru_cache(maxsize=len(NODES))
def _legendre(count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return np.polynomial.legendre.leggauss(count)


def _nodes(narrowest: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return nodes and weights on −1 to 1 that resolve increments as narrow as this within bounds of about ±3.5.

    Gauss-Legendre nodes are at most π / count apart.
    """
    wanted = math.pi * 3.5 / (CLOSE * narrowest)
    return _legendre(next((count for count in NODES if count >= wanted), NODES[-1]))


def _edge(points: Floats, mass: Floats, deviation: float, wanted: float) -> float:
    """Return ±edge within which a normal step from the points leaves as much mass as wanted."""

    def excess(edge: float) -> float:
        within = scipy.special.ndtr((edge - points) / deviation) - scipy.special.ndtr((-edge - points) / deviation)
        return float(within @ mass) - wanted

    return float(scipy.optimize.brentq(excess, 0.0, float(np.abs(points).max()) + 9.0 * deviation, xtol=1e-10))


def _normal(x: NDArray[np.float64], variance: float) -> NDArray[np.float64]:
    return np.exp(-0.5 * x * x / variance) / math.sqrt(2.0 * math.pi * variance)
