"""What the additive model of the report predicts of each network from all others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from reports.marginal.decisions import decisions
from reports.marginal.design import make_design
from reports.marginal.shrinkage import fit, left_out
from reports.one_thread import one_thread
from reports.run.catalog import Catalog
from spaces import Architecture

__all__ = ["LEAST", "Predictions", "leave_one_out", "predicted"]

Values = NDArray[np.float64]
LEAST = 12
SURE = 0.99


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
        total = float(self._squares_of_the_mean.sum())
        return 1.0 - float(self._squares.sum()) / total if total > 0 else 0.0

    @property
    def beyond_chance(self) -> bool:
        """Whether predictions are closer than the mean of the others, beyond chance.

        By a one-sided t test of 1 % on the differences of the squared errors, one a network.
        """
        gains = self._squares_of_the_mean - self._squares
        error = float(gains.std(ddof=1)) / len(gains) ** 0.5
        return bool(gains.mean() > float(scipy.special.stdtrit(len(gains) - 1, SURE)) * error)

    @property
    def _squares(self) -> Values:
        return (self.measured - self.mean) ** 2

    @property
    def _squares_of_the_mean(self) -> Values:
        count = len(self.measured)
        squares: Values = ((self.measured - self.measured.mean()) * count / (count - 1)) ** 2
        return squares


def leave_one_out(catalog: Catalog) -> Predictions | None:
    """Return what the model of "What works where" predicts of each complete candidate from all others.

    Its shrinkage is that of the most evidence for all of them; see `reports.marginal.shrinkage`. `None` for fewer than
    twelve, or where they do not differ.
    """
    name = catalog.quality.name
    entries = [entry for entry in catalog.by_quality if entry.values[name] is not None]
    values = np.array([entry.values[name] for entry in entries], dtype=np.float64)
    if len(values) < LEAST or np.ptp(values) == 0.0:
        return None
    return predicted([entry.architecture for entry in entries], values)


@one_thread()
def predicted(networks: Sequence[Architecture], measured: Values) -> Predictions:
    """Return what the model predicts of networks of one space, each from all others; see `leave_one_out`."""
    design = make_design(*decisions(networks))
    mean, deviation = left_out(design, measured, fit(design, measured))
    return Predictions(mean, deviation, measured, "an additive model of the operators")
