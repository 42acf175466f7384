"""The completed candidates, as a pruner needs them: curves by epoch, and their front."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from reports.pareto import non_dominated
from search.curves import Forecast, fit, jitter
from search.pruners.curve import Curve

__all__ = ["History"]

Values = np.ndarray[Any, np.dtype[np.float64]]
LATEST = 256


class History:
    """Every candidate that was trained to its end.

    A prediction rests on the latest 256 of them, so that its cost does not grow with the study.
    """

    def __init__(self) -> None:
        self._curves: dict[int, Curve] = {}
        self._front: list[Curve] = []
        self._jitter: list[tuple[float, ...]] = []
        self._forecasts: dict[tuple[int, ...], tuple[int, list[Forecast]]] = {}

    def __contains__(self, number: int) -> bool:
        return number in self._curves

    def __len__(self) -> int:
        return len(self._curves)

    @property
    def front(self) -> tuple[Curve, ...]:
        """The candidates that no other one dominates."""
        return tuple(self._front)

    def learn(self, curve: Curve) -> None:
        """Take in a completed candidate; a number that is known already changes nothing."""
        if curve.number in self._curves:
            return
        self._curves[curve.number] = curve
        self._forecasts.clear()
        self._jitter.append(_jitter(curve))
        points = [[*(-value for value in peer.final), *peer.costs] for peer in [*self._front, curve]]
        kept = non_dominated(np.asarray(points, dtype=np.float64))
        self._front = [peer for peer, on_front in zip([*self._front, curve], kept, strict=True) if on_front]

    def peers(self, epochs: Sequence[int]) -> int:
        """Return how many completed candidates reported at every one of these epochs."""
        return self._forecast(tuple(epochs))[0]

    def forecasts(self, epochs: Sequence[int]) -> list[Forecast]:
        """Return the regression of every quality on its values at these epochs and on the costs."""
        return self._forecast(tuple(epochs))[1]

    def _forecast(self, epochs: tuple[int, ...]) -> tuple[int, list[Forecast]]:
        if epochs not in self._forecasts:
            latest = list(self._curves.values())[-LATEST:]
            peers = [curve for curve in latest if all(epoch in curve.quality for epoch in epochs)]
            self._forecasts[epochs] = len(peers), self._fitted(peers, epochs) if len(peers) > 2 else []
        return self._forecasts[epochs]

    def _fitted(self, peers: Sequence[Curve], epochs: tuple[int, ...]) -> list[Forecast]:
        noise = np.median(np.asarray(self._jitter[-LATEST:]), axis=0)
        return [
            fit(
                np.stack([features(peer, epochs, index) for peer in peers]),
                np.array([peer.final[index] for peer in peers]),
                float(noise[index]),
                len(peers[0].traits),
            )
            for index in range(len(peers[0].final))
        ]


def features(curve: Curve, epochs: Sequence[int], index: int) -> Values:
    """Return what a final quality is predicted from: its values at `epochs`, then the logarithms of the costs."""
    costs = np.log(np.maximum(np.asarray(curve.costs, dtype=np.float64), 1e-12))
    return np.concatenate([[curve.quality[epoch][index] for epoch in epochs], costs, curve.traits])


def _jitter(curve: Curve) -> tuple[float, ...]:
    values = np.array([curve.quality[epoch] for epoch in sorted(curve.quality)], dtype=np.float64)
    return tuple(jitter(values[:, index]) if len(values) else 0.0 for index in range(len(curve.final)))
