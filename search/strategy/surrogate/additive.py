"""What is known of every choice of every slot of a space by itself: effects that add up."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from fusion_ops import FusionChoice
from search.strategy.proposals.encoding import Codes, Encoding, Values
from spaces import Configuration

__all__ = ["Additive"]


class Additive:
    """Expects of an architecture the sum of what its choices change, each by itself.

    Args:
        effects: By slot, what a choice changes, to minimise; of a choice that is not there the mean of its slot's is
            expected.
        best: What is to be tried first, the best first.

    Attributes:
        waits: 0: what it recommends is tried after the design.
    """

    waits = 0

    def __init__(self, effects: Sequence[Mapping[FusionChoice, float]], best: Sequence[Configuration]) -> None:
        self._effects, self.best = tuple(effects), tuple(best)

    def of(self, encoding: Encoding) -> Callable[[Codes], Values]:
        """Return the function that says what is expected of `(n, columns)` codes of the space: `(n,)`."""
        table = np.zeros((encoding.slots, max(len(row) for row in encoding.choices)))
        for slot, (row, known) in enumerate(zip(encoding.choices, self._effects, strict=True)):
            mean = float(np.mean(list(known.values()))) if known else 0.0
            table[slot, : len(row)] = [known.get(choice, mean) for choice in row]
        rows = np.arange(encoding.slots)
        return lambda codes: np.asarray(table[rows, codes[:, : encoding.slots]].sum(axis=1))
