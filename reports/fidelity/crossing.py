"""Operators whose networks learn late, so that early stops would be unfair to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy

from reports.fidelity.endings import Endings

__all__ = ["LEAST", "Crossing", "crossings", "fair_floor"]

Values = npt.NDArray[np.float64]
LEAST = 20
PRESENT = 5
# A parameter of the regression needs so many observations.
FOR_EACH = 3
LEVEL = 0.05


@dataclass(frozen=True, slots=True)
class Crossing:
    """How an operator's networks end, compared with others that stood equal at an early epoch.

    Args:
        operator: The operator.
        epoch: The early epoch.
        bias: How much better a network with this operator everywhere ends than the average one that is equal there.
        low: Lower bound of its 95 % interval.
        high: Upper bound.
        behind: How much lower it stands there than the average one that ends equal; negative where it stands higher.
        doubt: The greater of the two p-values that bias and `behind` are by chance.
        early_rank: Mean rank there of the networks that have it, weighed by their share of it: 0 worst, 1 best.
        final_rank: The same at the end.
    """

    operator: str
    epoch: int
    bias: float
    low: float
    high: float
    behind: float
    doubt: float
    early_rank: float
    final_rank: float

    def late(self, level: float = LEVEL) -> bool:
        """Whether its curves cross late, beyond noise: it ends better than its equals, and stood lower than them."""
        return self.bias > 0 and self.behind > 0 and self.doubt <= level


@dataclass(frozen=True, slots=True)
class _Effects:
    """Of every operator that can be told apart: what it adds, its standard error, its p-value, degrees of freedom."""

    value: Values
    error: Values
    doubt: Values
    freedom: float


def crossings(found: Endings, epochs: Sequence[int]) -> Mapping[int, tuple[Crossing, ...]]:
    """Return the operators' biases by early epoch; none where the evidence does not suffice.

    The final quality is regressed on the early one, its square and the shares of the operators. What an operator adds
    is given for a network that has it everywhere, against the average of these networks. Noise of the early epoch
    alone makes a good operator look as if it gained later (regression to the mean). So the early quality is regressed
    on the final one, too, where that noise works the other way: `Crossing.late` asks that both say the same. Standard
    errors are HC3's (MacKinnon and White, 1985), which allow for unequal noise and for the weights.

    It takes 20 trainings, 3 for each parameter, and operators that stand in 5 networks each and not always together.

    Args:
        found: Trainings with a known end.
        epochs: The early epochs.
    """
    told = _told_apart(found)
    if len(told) < 2:
        return {}
    found_at = {epoch: _at(found, epoch, told) for epoch in epochs}
    return {epoch: biases for epoch, biases in found_at.items() if biases}


def fair_floor(biases: Mapping[int, Sequence[Crossing]], operator: str, epochs: int) -> int:
    """Return the first of the early epochs from which on an operator's lateness shows no more; else `epochs`."""
    floor = epochs
    for epoch in sorted(biases, reverse=True):
        if any(bias.operator == operator and bias.late() for bias in biases[epoch]):
            return floor
        floor = epoch
    return floor


def _told_apart(found: Endings) -> list[int]:
    """Return the operators that enough networks have, of which enough have it less than others."""
    there = (found.shares > 0).sum(axis=0)
    varies = found.shares.std(axis=0) > 1e-9 if found.count else there.astype(bool)
    return [index for index in range(len(found.operators)) if there[index] >= PRESENT and varies[index]]


def _at(found: Endings, epoch: int, told: Sequence[int]) -> tuple[Crossing, ...]:
    early = found.at(epoch)
    finite = np.isfinite(early) & np.isfinite(found.final)
    x, y, w, shares = early[finite], found.final[finite], found.weights[finite], found.shares[finite]
    later, sooner = _effects(x, y, shares, told, w), _effects(y, x, shares, told, w)
    if later is None or sooner is None:
        return ()
    half = scipy.special.stdtrit(later.freedom, 1 - LEVEL / 2) * later.error
    ranks = [pd.Series(values).rank().to_numpy() / (len(values) + 1) for values in (x, y)]
    return tuple(
        Crossing(
            operator=found.operators[index],
            epoch=epoch,
            bias=float(later.value[place]),
            low=float(later.value[place] - half[place]),
            high=float(later.value[place] + half[place]),
            behind=float(-sooner.value[place]),
            doubt=float(max(later.doubt[place], sooner.doubt[place])),
            early_rank=float(np.average(ranks[0], weights=w * shares[:, index])),
            final_rank=float(np.average(ranks[1], weights=w * shares[:, index])),
        )
        for place, index in enumerate(told)
    )


def _effects(given: Values, outcome: Values, shares: Values, told: Sequence[int], w: Values) -> _Effects | None:
    """Return what each operator adds to the outcome beside what is given; `None` where that cannot be told."""
    if len(given) < LEAST or given.std() <= 0 or outcome.std() <= 0:
        return None
    position = (given - given.mean()) / given.std()
    # The rest, that is too rare to be told apart, stands with the first operator as what the others differ from.
    design = np.column_stack([np.ones(len(given)), position, position**2, shares[:, list(told)[1:]]])
    count, parameters = design.shape
    if count < FOR_EACH * parameters or np.linalg.matrix_rank(design) < parameters:
        return None
    inverse = np.linalg.inv(design.T @ (design * w[:, None]))
    weights = inverse @ (design.T @ (w * outcome))
    leverage = w * ((design @ inverse) * design).sum(axis=1)
    residuals = w * (outcome - design @ weights) / np.maximum(1 - leverage, 1e-3)
    spread = inverse @ (design.T * residuals**2) @ design @ inverse
    average = np.average(shares[:, list(told)], axis=0, weights=w)
    contrasts = np.zeros((len(told), parameters))
    contrasts[1:, 3:] = np.eye(len(told) - 1)
    contrasts[:, 3:] -= average[1:]
    value = contrasts @ weights
    error = np.sqrt(np.maximum(np.einsum("ij,jk,ik->i", contrasts, spread, contrasts), 1e-30))
    freedom = max(float(w.sum() ** 2 / (w**2).sum()) - parameters, 1.0)
    return _Effects(value, error, 2 * scipy.special.stdtr(freedom, -np.abs(value) / error), freedom)
