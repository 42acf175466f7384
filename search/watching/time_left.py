"""How long the rest of a run will take."""

from __future__ import annotations

import time
from collections.abc import Callable

from search.study.ledger import Ledger
from search.study.retraining import Retraining

__all__ = ["TimeLeft"]

FULL_FIRST, RECENT, ENDING = 8, 8, 4.0
PRUNED_SHARE, PRIOR_WEIGHT = 0.3, 12


class TimeLeft:
    """Estimates the seconds until a run has trained all of its candidates: epochs ahead by epochs a second.

    The first eight candidates are trained in full: a pruner has nothing yet to compare them with. A later one takes
    three tenths of a training; the more candidates began since the first stop, the more their mean counts instead.
    The pace is that of the last eight trainings' worth of epochs. Report and end of the workers take four seconds.

    Args:
        ledger: The run's candidates.
        limit: Returns the seconds until the run ends for another reason, with so many workers in training.
        epochs: Epochs of a whole training.
        prunes: Whether trainings are stopped early at all.
        contests: How many baselines of the search follow it, each with as many epochs as itself.
        retraining: What is trained again, all to its end, in place of the search.

    Attributes:
        beside: Returns the epochs ahead of what is trained beside the search: a parent, or some once more from scratch.
    """

    def __init__(
        self,
        ledger: Ledger,
        limit: Callable[[int], float],
        *,
        epochs: int,
        prunes: bool,
        contests: int = 0,
        retraining: Retraining | None = None,
    ) -> None:
        self._ledger, self._limit, self._retraining = ledger, limit, retraining
        self._epochs, self._contests, self._share = epochs, contests, PRUNED_SHARE if prunes else 1.0
        self.beside: Callable[[], float] = float
        self._before = ledger.trained_seconds()
        # The number of epochs so far, and when that was reported.
        self._reports = [(ledger.trained_epochs(), 0.0)]

    def update(self) -> None:
        """Take note of the epochs that were trained since the last call."""
        trained, now = self._ledger.trained_epochs(), time.monotonic()
        if trained > self._reports[-1][0]:
            if len(self._reports) == 1:
                self._reports = [(self._reports[0][0], now - self._ledger.trained_seconds() + self._before)]
            self._reports.append((trained, now))
            while trained - self._reports[1][0] >= RECENT * self._epochs:
                del self._reports[0]

    def seconds(self) -> float | None:
        """Return the estimate; `None` before the first epoch, and where nothing is left."""
        if self._retraining is not None:
            expected, ahead = float(self._epochs), self._retraining.epochs_ahead()
        else:
            expected = self._expected()
            ahead = self._ahead(expected) + self.beside()
        if len(self._reports) == 1 or ahead <= 0:
            return None
        (earlier, began), (trained, ended) = self._reports[0], self._reports[-1]
        workers = len({one.worker for one in self._ledger.running() if one.worker}) or 1
        # At the end some workers have nothing more to train.
        ahead += expected * (workers - 1) / 2
        left = ahead * (ended - began) / (trained - earlier) - (time.monotonic() - ended)
        return min(max(left, 0.0), self._limit(workers)) + ENDING

    def _expected(self) -> float:
        """Return the epochs that a candidate takes once trainings may be stopped."""
        count, took = self._ledger.tally.took()
        return (PRIOR_WEIGHT * self._share * self._epochs + took) / (PRIOR_WEIGHT + count)

    def _ahead(self, expected: float) -> float:
        """Return the epochs that are still to be trained: those of the search, then those of its baselines."""
        waiting = self._ledger.remaining()
        full = min(max(FULL_FIRST - self._ledger.count("complete") - self._ledger.in_training(), 0), waiting)
        begun = [one for one in self._ledger.running() if not one.series]
        left = sum(
            (self._epochs - max(one.epochs, one.before)) * (1 if one.runs_on else expected / self._epochs)
            for one in begun
        )
        search = full * self._epochs + (waiting - full) * expected + left
        tally = self._ledger.tally
        return search + max(self._contests * (search + tally.search_epochs) - tally.control_epochs, 0.0)
