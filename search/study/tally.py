"""How many candidates there are in which state, and what their trainings took, without a look at each."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from reports.candidates.candidate import TRAINED, Candidate

__all__ = ["Tally"]

_NEVER = 1 << 60


class Tally:
    """Counts candidates as they come, change and go.

    Attributes:
        running: Those in training, by number.
        apart: By series, the numbers of those that are not the search's own.
        seconds: The time in training of all of them together.
        epochs: What was trained for all of them together; what a duplicate copies does not count.
        search_epochs: What of that was trained for the search itself.
        control_epochs: What the controls of the search have, duplicates included.
    """

    def __init__(self) -> None:
        self.running: dict[int, Candidate] = {}
        self.apart: dict[str, set[int]] = {}
        self.epochs = self.search_epochs = self.control_epochs = 0
        # By number, the epochs that a candidate of the search took that was trained, -1 where it was not.
        self._took: array[int] = array("i")
        self._first_stop = _NEVER
        self.seconds = 0.0
        self._states: Counter[str] = Counter()

    def count(self, *states: str) -> int:
        """Return how many of the search's candidates are in these states; controls do not count."""
        return sum(self._states[state] for state in states)

    def took(self) -> tuple[int, int]:
        """Return how many candidates of the search were trained from the first one on that was stopped, and epochs."""
        later = np.array(self._took[self._first_stop :], dtype=np.int64)
        return int((later >= 0).sum()), int(later[later >= 0].sum())

    def add(self, candidate: Candidate) -> None:
        """Count a candidate as it is."""
        self._count(candidate, 1)

    def remove(self, candidate: Candidate) -> None:
        """Count a candidate no more, which is as it was when it was counted."""
        self._count(candidate, -1)

    @contextmanager
    def changing(self, candidate: Candidate) -> Iterator[None]:
        """Count a candidate anew after the block has changed it."""
        self.remove(candidate)
        try:
            yield
        finally:
            self.add(candidate)

    def _count(self, candidate: Candidate, times: int) -> None:
        epochs = times * candidate.trained_epochs
        self.seconds += times * candidate.seconds
        if candidate.series:
            numbers = self.apart.setdefault(candidate.series, set())
            if times > 0:
                numbers.add(candidate.number)
            else:
                numbers.remove(candidate.number)
            self.control_epochs += 0 if candidate.beside else epochs
        else:
            self._states[candidate.state] += times
        if candidate.state != "duplicate":
            self.epochs += epochs
            self.search_epochs += 0 if candidate.series else epochs
        if candidate.state == "running":
            if times > 0:
                self.running[candidate.number] = candidate
            else:
                del self.running[candidate.number]
        elif candidate.kind == "search" and candidate.state in TRAINED:
            self._took.extend([-1] * (candidate.number + 1 - len(self._took)))
            self._took[candidate.number] = candidate.trained_epochs if times > 0 else -1
            if candidate.state == "pruned":
                self._first_stop = min(self._first_stop, candidate.number)
