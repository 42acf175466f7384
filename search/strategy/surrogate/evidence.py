"""What a study says of one objective: told values, forecasts of what was stopped, a poor value for what failed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from search.strategy.curves import Forecast, fit, looks
from search.strategy.observations import Observation
from search.strategy.proposals.encoding import Codes, key

__all__ = ["Evidence", "Yardstick"]

Values = np.ndarray[Any, np.dtype[np.float64]]
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
    complete: np.ndarray[Any, np.dtype[np.bool_]]

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
    candidate, with the variance s². Values far worse than the rest are drawn in to 1.5 times the range between
    the best and the upper quartile, so that one diverged training does not stretch the scale.

    Args:
        ended: The candidates that ended; one at least was completed.
        index: Position of the objective among the study's.
        measure: Its name, as curves have it.
        sign: What turns it into one to minimise: -1 or 1.
        loss: Turns a value to minimise into what the model sees.
    """

    def __init__(
        self, ended: Sequence[Observation], index: int, measure: str, sign: float, loss: Callable[[float], float]
    ) -> None:
        self._index, self._measure, self._sign, self._loss = index, measure, sign, loss
        self._complete = [(seen, self._final(seen.values)) for seen in ended if seen.values is not None]
        self._known = {key(seen.code) for seen, _ in self._complete}
        told = np.array([final for _, final in self._complete])
        high = float(np.quantile(told, 0.75))
        self._cap = high + 1.5 * (high - float(told.min()))
        self._worst = float(told.max())
        self._mean, self._variance = float(told.mean()), max(float(told.var()), 1e-18)
        self._curves = [(self._curve(seen), final) for seen, final in self._complete]
        self._forecasts: dict[tuple[int, ...], Forecast | None] = {}

    def __call__(self, candidates: Sequence[Observation]) -> Evidence:
        """Return what these candidates say."""
        rows = [(seen.code, *told) for seen in candidates if (told := self._told(seen)) is not None]
        return Evidence(
            np.array([row[0] for row in rows]),
            np.minimum(np.array([row[1] for row in rows]), self._cap),
            np.array([row[2] for row in rows]),
            np.array([row[3] for row in rows], dtype=np.bool_),
        )

    def _told(self, seen: Observation) -> tuple[float, float, bool] | None:
        """Return a candidate's value, the doubt about it and whether it is complete."""
        if seen.values is not None:
            return self._final(seen.values), 0.0, True
        if seen.outcome == "failed":
            return None if key(seen.code) in self._known else (self._worst, self._variance, False)
        if key(seen.code) in self._known:
            return None
        curve = self._curve(seen)
        epochs = looks(curve)
        if epochs not in self._forecasts:
            self._forecasts[epochs] = self._forecast(epochs)
        forecast = self._forecasts[epochs]
        if forecast is None:
            return None
        expected, error = forecast.at(np.array([curve[epoch] for epoch in epochs]))
        error = max(error, 1e-9)
        precision = 1.0 / error**2 - 1.0 / self._variance
        if precision * self._variance < LEAST:
            return None
        return (expected / error**2 - self._mean / self._variance) / precision, 1.0 / precision, False

    def _final(self, values: Values) -> float:
        return self._loss(float(values[self._index]))

    def _forecast(self, epochs: tuple[int, ...]) -> Forecast | None:
        """Return the regression of final values on those at these epochs; `None` without enough peers."""
        peers = [(curve, final) for curve, final in self._curves if all(epoch in curve for epoch in epochs)]
        if not epochs or len(peers) < PEERS:
            return None
        told = np.array([[curve[epoch] for epoch in epochs] for curve, _ in peers])
        return fit(told, np.array([final for _, final in peers]))

    def _curve(self, seen: Observation) -> dict[int, float]:
        """Return the objective by epoch, as the model sees it; a measure without a name is the objective."""
        told = {epoch: of.get(self._measure, of.get("", np.nan)) for epoch, of in seen.curve.items()}
        return {epoch: self._loss(self._sign * value) for epoch, value in told.items() if np.isfinite(value)}
