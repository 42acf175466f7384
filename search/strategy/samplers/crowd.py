"""Several proposals at once, where so many candidates are in training that one more tells little."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from search.strategy.proposals.encoding import Code, Codes, Values
from search.strategy.surrogate.surrogate import Posterior, Surrogate

__all__ = ["CROWD", "Draft", "picked", "proposed_at_once"]

# So many candidates in training are taken into account one by one. Beyond twice as many, several are proposed at once:
# two, and one more for each further `EACH`, up to `MOST`.
CROWD, EACH, MOST = 64, 16, 64


class Draft(NamedTuple):
    """A proposal that waits for a trial.

    Attributes:
        code: What is proposed.
        predicted: Its quality, as the model predicts it, and the standard deviation of that.
        second_look: Whether it was stopped, and is to be trained again.
    """

    code: Code
    predicted: tuple[float, float] | None
    second_look: bool


def proposed_at_once(in_training: int) -> int:
    """Return how many candidates are proposed by one look at what is known: 1 up to twice `CROWD` in training."""
    beyond = in_training - 2 * CROWD
    return 1 if beyond < 0 else min(2 + beyond // EACH, MOST)


def picked(
    gains: Callable[[Posterior, Values], Values],
    surrogate: Surrogate,
    codes: Codes,
    costs: Values,
    front: Values,
    count: int,
) -> tuple[list[int], float]:
    """Return the indices of the codes that are expected to gain most together, best first, and what the first gains.

    Each is chosen as if those before it had shown what is expected of them: they are on the front with that, and what
    is known of them leaves less doubt about their neighbours. Objectives beside the first that are modelled, too, count
    with their expected values.

    Args:
        gains: Returns what codes gain, given what is expected of their first objective and a front.
        surrogate: The model of the first objective.
        codes: `(m, columns)`, those to choose from.
        costs: `(m, k)`, their other objectives.
        front: `(f, 1 + k)`, what is there.
        count: How many are chosen at most.
    """
    mean, covariance, noise, weights = surrogate.joint(codes)
    expected = weights @ mean
    left, chosen, gain = np.ones(len(codes), dtype=bool), list[int](), 0.0
    while left.any() and len(chosen) < count:
        deviation = np.sqrt(np.maximum(np.diagonal(covariance, axis1=1, axis2=2), 1e-16))
        gained = np.where(left, gains(Posterior(mean, deviation, weights), front), -np.inf)
        best = int(gained.argmax())
        gain = gain if chosen else float(gained[best])
        chosen.append(best)
        left[best] = False
        column = covariance[:, :, best]
        covariance = covariance - column[:, :, None] * column[:, None, :] / (column[:, best] + noise)[:, None, None]
        front = np.concatenate([front, [[expected[best], *costs[best]]]])
    return chosen, gain
