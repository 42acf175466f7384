"""Latency of architectures as the sum of what their parts took."""

from __future__ import annotations

import numpy as np

from search.strategy.proposals.encoding import Codes, Encoding, Values
from spaces.latency import LatencyTable

__all__ = ["AdditiveLatency"]

DRAWS = 512
SHORTEST = 1e-9


class AdditiveLatency:
    """Predicts latency for codes; its logarithm is a feature of a model.

    Over random architectures the feature has mean 0 and standard deviation 1.

    Args:
        encoding: Codes of the space.
        table: What was measured.

    Raises:
        SpecError: The table was measured for another space.
    """

    def __init__(self, encoding: Encoding, table: LatencyTable) -> None:
        self._rest = table.rest
        self._times = np.zeros(encoding.ops.shape)
        self._slots = np.arange(encoding.slots)
        for s, slot in enumerate(encoding.space.slots):
            for c, choice in enumerate(slot.choices):
                self._times[s, c] = sum(table.time(point, choice) for point in slot.points)
        logs = np.log(self(encoding.draw(np.random.default_rng(0), DRAWS)))
        self._centre, self._spread = float(logs.mean()), max(float(logs.std()), 1e-9)

    def __call__(self, codes: Codes) -> Values:
        """Return the predicted latency of each of `(n, s)` codes, in milliseconds."""
        return np.asarray(np.maximum(self._times[self._slots, codes].sum(axis=1) + self._rest, SHORTEST))

    def feature(self, codes: Codes) -> Values:
        """Return the feature of `(n, s)` codes: `(n, 1)`."""
        return ((np.log(self(codes)) - self._centre) / self._spread)[:, None]
