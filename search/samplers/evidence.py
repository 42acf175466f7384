"""What a study says of one objective: told values, forecasts of what was stopped, a poor value for what failed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from search.samplers.encoding import Codes, key
from search.samplers.observations import Observation

__all__ = ["Evidence", "Yardstick"]

Values = np.ndarray[Any, np.dtype[np.float64]]
PEERS = 5
FAILED_NOISE = 8.0
SHARE_OF_NOISE = 0.1


@dataclass(frozen=True, slots=True)
class Evidence:
    """Observed values of one objective, to minimise.

    Args:
        codes: `(n, s)`.
        values: `(n,)`.
        noise: `(n,)`, variance relative to that of a completed training.
        complete: `(n,)`, whether the training was completed.
    """

    codes: Codes
    values: Values
    noise: Values
    complete: np.ndarray[Any, np.dtype[np.bool_]]

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, rows: Any) -> Evidence:
        return Evidence(self.codes[rows], self.values[rows], self.noise[rows], self.complete[rows])


class Yardstick:
    """Turns candidates into evidence, by what the completed ones among `ended` say.

    A stopped candidate counts with the final value that a line through the completed ones predicts from its
    best value so far, and with the variance of that prediction; without enough peers it does not count. A
    failed one counts as the worst completed candidate, with great uncertainty. Values far worse than the rest
    are drawn in to 1.5 times the range between the best and the upper quartile, so that one diverged training
    does not stretch the scale.

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
        self._variance = max(float(told.var()), 1e-18)
        self._lines: dict[int, tuple[float, float, float] | None] = {}

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
        """Return a candidate's value, its relative noise and whether it is complete."""
        if seen.values is not None:
            return self._final(seen.values), 1.0, True
        if seen.outcome == "failed":
            return None if key(seen.code) in self._known else (self._worst, FAILED_NOISE, False)
        progress = self._progress(seen)
        epoch = max(progress, default=0)
        if epoch not in self._lines:
            self._lines[epoch] = self._line(epoch)
        line = self._lines[epoch]
        if line is None:
            return None
        slope, intercept, variance = line
        noise = 1.0 + variance / (SHARE_OF_NOISE * self._variance)
        return slope * self._loss(progress[epoch]) + intercept, noise, False

    def _final(self, values: Values) -> float:
        return self._loss(float(values[self._index]))

    def _line(self, epoch: int) -> tuple[float, float, float] | None:
        """Return slope, intercept and residual variance of final values on values at an epoch."""
        pairs = []
        for peer, final in self._complete:
            progress = self._progress(peer)
            if epoch in progress:
                pairs.append((self._loss(progress[epoch]), final))
        if len(pairs) < PEERS:
            return None
        x, y = np.array(pairs).T
        spread = float(((x - x.mean()) ** 2).sum())
        slope = max(float(((x - x.mean()) * (y - y.mean())).sum()) / spread, 0.0) if spread > 0 else 0.0
        intercept = float(y.mean()) - slope * float(x.mean())
        return slope, intercept, float(((y - slope * x - intercept) ** 2).sum()) / (len(pairs) - 2)

    def _progress(self, seen: Observation) -> dict[int, float]:
        """Return by epoch the best value up to it, to minimise; a measure without a name is the objective."""
        out, best = {}, np.inf
        for epoch in sorted(seen.curve):
            measures = seen.curve[epoch]
            value = measures.get(self._measure, measures.get("", np.nan))
            if np.isfinite(value):
                best = min(best, self._sign * value)
                out[epoch] = best
        return out
