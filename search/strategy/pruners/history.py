"""Candidates as a pruner sees them: curves by epoch, and what is known of the completed ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from reports.fronts.dominance import non_dominated
from search.strategy.curves import Forecast, fit, jitter

__all__ = ["Curve", "Fitted", "History", "features"]

Values = np.ndarray[Any, np.dtype[np.float64]]
LATEST = 256
SHARE = 16


@dataclass(frozen=True, slots=True)
class Curve:
    """A candidate up to the epoch that it has reached.

    Args:
        number: Its number in the study.
        quality: By epoch, the value of each objective that is a quality; greater is better.
        costs: Its objectives that are costs; smaller is better, NaN where not known yet.
        final: Of a completed candidate, what was told as its qualities; greater is better.
        traits: What describes its architecture, as many numbers for every candidate; none where that is not known.
    """

    number: int
    quality: Mapping[int, tuple[float, ...]]
    costs: tuple[float, ...]
    final: tuple[float, ...] = ()
    traits: tuple[float, ...] = ()

    @property
    def epoch(self) -> int:
        """The last epoch that was reported; 0 before the first one."""
        return max(self.quality, default=0)


@dataclass(frozen=True, slots=True)
class Fitted:
    """Predictions from some epochs, as they were made.

    Attributes:
        known: How many completed candidates there were.
        peers: How many of them the predictions rest on: those that reported at these epochs.
        forecasts: The regression of every quality on its values at these epochs, on costs and traits.
    """

    known: int
    peers: int
    forecasts: list[Forecast]


class History:
    """Every candidate that was trained to its end.

    A prediction rests on the latest 256 of them, and is made anew when they are more by about a sixteenth, so that its
    cost does not grow with the study. On which it rests depends on how many there are alone: a pruner that is created
    anew goes on as the old one would have. What no prediction can rest on any more is forgotten.

    Attributes:
        front: The candidates that no other one dominates.
    """

    def __init__(self) -> None:
        self._count = 0
        # The latest of them; so many came before.
        self._curves: list[Curve] = []
        self._forgotten = 0
        self.front: list[Curve] = []
        self._jitter: list[tuple[float, ...]] = []
        self._forecasts: dict[tuple[int, ...], Fitted] = {}

    def learn(self, curve: Curve) -> None:
        """Take in a completed candidate."""
        self._count += 1
        self._curves.append(curve)
        self._jitter.append(_jitter(curve))
        surplus = max(_basis(self._count) - LATEST - self._forgotten, 0)
        del self._curves[:surplus], self._jitter[:surplus]
        self._forgotten += surplus
        known = [*self.front, curve]
        kept = non_dominated([[*(-value for value in peer.final), *peer.costs] for peer in known])
        self.front = [peer for peer, on_front in zip(known, kept, strict=True) if on_front]

    def at(self, epochs: tuple[int, ...]) -> Fitted:
        """Return the predictions from these epochs."""
        known = _basis(self._count)
        fitted = self._forecasts.get(epochs)
        if fitted is None or fitted.known != known:
            latest = self._curves[: known - self._forgotten][-LATEST:]
            peers = [curve for curve in latest if all(epoch in curve.quality for epoch in epochs)]
            forecasts = self._fitted(peers, epochs) if len(peers) > 2 else []
            fitted = self._forecasts[epochs] = Fitted(known, len(peers), forecasts)
        return fitted

    def _fitted(self, peers: Sequence[Curve], epochs: tuple[int, ...]) -> list[Forecast]:
        latest = self._jitter[: _basis(self._count) - self._forgotten][-LATEST:]
        noise = np.median(np.asarray(latest), axis=0)
        return [
            fit(
                np.stack([features(peer, epochs, index) for peer in peers]),
                np.array([peer.final[index] for peer in peers]),
                float(noise[index]),
                len(peers[0].traits),
            )
            for index in range(len(peers[0].final))
        ]


def _basis(count: int) -> int:
    """Return on how many of `count` candidates predictions rest: all up to 32, then in steps that double with them."""
    step = 1 << max(count // SHARE, 1).bit_length() - 1
    return count - count % step


def features(curve: Curve, epochs: Sequence[int], index: int) -> Values:
    """Return what a final quality is predicted from: values at `epochs`, logarithms of the costs, the traits."""
    costs = np.log(np.maximum(np.asarray(curve.costs, dtype=np.float64), 1e-12))
    return np.concatenate([[curve.quality[epoch][index] for epoch in epochs], costs, curve.traits])


def _jitter(curve: Curve) -> tuple[float, ...]:
    values = np.array([curve.quality[epoch] for epoch in sorted(curve.quality)], dtype=np.float64)
    return tuple(jitter(values[:, index]) if len(values) else 0.0 for index in range(len(curve.final)))
