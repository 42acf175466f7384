"""What a study says of one objective: final values, forecasts of what was stopped, a poor value for what failed."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from optuna.trial import TrialState

from search.strategy.curves import Forecast, fit, looks
from search.strategy.observations import Observation
from search.strategy.proposals.encoding import Code, Codes, Values, key

__all__ = ["Evidence", "Yardstick"]

PEERS = 5
LEAST = 0.05


@dataclass(frozen=True, slots=True)
class Evidence:
    """Observed values of one objective, to minimise.

    Args:
        codes: `(n, s)`.
        values: `(n,)`.
        doubt: `(n,)`, variance beyond that of a completed training.
        complete: `(n,)`, whether the training was completed.
    """

    codes: Codes
    values: Values
    doubt: Values
    complete: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, rows: Any) -> Evidence:
        return Evidence(self.codes[rows], self.values[rows], self.doubt[rows], self.complete[rows])


class Yardstick:
    """Turns candidates into evidence, by what the completed ones among `ended` say.

    A stopped candidate counts by its curve. Regression over the completed ones says f ± e of its end; they
    themselves are μ ± s. What the curve adds to knowing it is one of them is an observation of variance
    d² = 1 / (1/e² − 1/s²) at d² (f/e² − μ/s²); it is left out where the curve says next to nothing, without
    enough peers, or where a second look has completed the training. A failed one counts as the worst completed
    candidate, with the variance s². Values far worse than the rest are drawn in, so that a diverged training does not
    stretch the scale: to 1.5 times the range between the best and the upper quartile.

    Where recipes are searched many trainings diverge, and how far off they end says little. Where the median is s worse
    than the best, b, values beyond k = b + 2 s are drawn in to k + s log(1 + (v - k) / s): they keep their order.

    Args:
        ended: The candidates that ended; one at least was completed.
        index: Position of the objective among the study's.
        measure: Its name, as curves have it.
        sign: What turns it into one to minimise: -1 or 1.
        loss: Turns a value to minimise into what the model sees.
        diverging: Whether many may have diverged.
    """

    def __init__(
        self,
        ended: Sequence[Observation],
        index: int,
        measure: str,
        sign: float,
        loss: Callable[[float], float],
        *,
        diverging: bool = False,
    ) -> None:
        self._index, self._measure, self._sign, self._loss = index, measure, sign, loss
        complete = [(seen, self._final(seen.values)) for seen in ended if seen.values is not None]
        self._known = {key(seen.code) for seen, _ in complete}
        self._curves = [(self._curve(seen), final) for seen, final in complete]
        finals = np.array([final for _, final in complete])
        high = float(np.quantile(finals, 0.75))
        best = float(finals.min())
        self._cap = high + 1.5 * (high - best)
        self._spread = max(float(np.median(finals)) - best, 1e-9) if diverging else None
        self._knee = best + 2.0 * (self._spread or 0.0)
        self._worst = float(finals.max())
        self._mean, self._variance = float(finals.mean()), max(float(finals.var()), 1e-18)
        self._forecasts: dict[tuple[int, ...], Forecast | None] = {}

    def __call__(self, candidates: Sequence[Observation]) -> Evidence:
        """Return what these candidates say."""
        rows = [row for seen in candidates if (row := self._row(seen)) is not None]
        codes, values, doubt, complete = zip(*rows, strict=True) if rows else ((), (), (), ())
        drawn_in = self.drawn_in(np.array(values))
        return Evidence(np.array(codes), drawn_in, np.array(doubt), np.array(complete, dtype=np.bool_))

    def drawn_in(self, values: Values) -> Values:
        """Return values with what is far worse than the rest drawn in."""
        if self._spread is None:
            return np.minimum(values, self._cap)
        beyond = np.maximum(values - self._knee, 0.0)
        return np.asarray(np.minimum(values, self._knee) + self._spread * np.log1p(beyond / self._spread))

    def drawn_out(self, mean: float, deviation: float) -> tuple[float, float]:
        """Return mean and standard deviation of a value that was not drawn in, for small deviations."""
        if self._spread is None or mean <= self._knee:
            return mean, deviation
        grown = math.exp((mean - self._knee) / self._spread)
        return self._knee + self._spread * (grown - 1.0), deviation * grown

    def _row(self, seen: Observation) -> tuple[Code, float, float, bool] | None:
        """Return a candidate's code and value, the doubt about it, and whether its training was completed."""
        if seen.values is not None:
            return seen.code, self._final(seen.values), 0.0, True
        if key(seen.code) in self._known:
            return None
        if seen.state == TrialState.FAIL:
            return seen.code, self._worst, self._variance, False
        curve = self._curve(seen)
        epochs = looks(curve)
        forecast = self._forecast(epochs)
        if forecast is None:
            return None
        expected, error = forecast.at(np.array([curve[epoch] for epoch in epochs]))
        error = max(error, 1e-9)
        precision = 1.0 / error**2 - 1.0 / self._variance
        if precision * self._variance < LEAST:
            return None
        value = (expected / error**2 - self._mean / self._variance) / precision
        return seen.code, value, 1.0 / precision, False

    def _final(self, values: Values) -> float:
        return self._loss(float(values[self._index]))

    def _forecast(self, epochs: tuple[int, ...]) -> Forecast | None:
        """Return the regression of final values on those at these epochs; `None` without enough peers."""
        if epochs not in self._forecasts:
            peers = [(curve, final) for curve, final in self._curves if all(epoch in curve for epoch in epochs)]
            starts = np.array([[curve[epoch] for epoch in epochs] for curve, _ in peers])
            enough = epochs and len(peers) >= PEERS
            self._forecasts[epochs] = fit(starts, np.array([final for _, final in peers])) if enough else None
        return self._forecasts[epochs]

    def _curve(self, seen: Observation) -> dict[int, float]:
        """Return the objective by epoch, as the model sees it; a measure without a name is the objective."""
        raw = {epoch: of.get(self._measure, of.get("", np.nan)) for epoch, of in seen.curve.items()}
        return {epoch: self._loss(self._sign * value) for epoch, value in raw.items() if np.isfinite(value)}
