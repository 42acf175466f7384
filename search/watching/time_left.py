"""How long the rest of a run will take."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from reports.candidate import TRAINED, Candidate
from search.study.ledger import Ledger

__all__ = ["TimeLeft"]

FULL_FIRST = 8
PRUNED_SHARE = 0.3
PRIOR_WEIGHT = 12
RECENT = 8
ENDING = 4.0


class TimeLeft:
    """Estimates the seconds until a run has trained all of its candidates: epochs ahead by epochs a second.

    Baselines are trained in full, and so are the first eight candidates, which no pruner stops for want of comparison.
    A later one takes three tenths of a training, or what those took that began since the first one that was stopped,
    the more of them the more so. Epochs go on as fast as in the last eight trainings' worth of them; the start-up of
    workers is over when they report. The report and the end of the workers take four seconds more.

    Args:
        ledger: The run's candidates.
        limit: Returns the seconds until the run ends for another reason, with so many workers in training.
        epochs: Epochs of a whole training.
        prunes: Whether trainings are stopped early at all.
        contests: How many baselines of the search follow it, each with as many epochs as itself.
    """

    def __init__(
        self, ledger: Ledger, limit: Callable[[int], float], *, epochs: int, prunes: bool, contests: int = 0
    ) -> None:
        self._ledger, self._limit = ledger, limit
        self._epochs, self._prunes, self._contests = epochs, prunes, contests
        self._known = {one.number: (one.epochs, one.seconds) for one in ledger.all()}
        # Of each report when its epochs began, when they ended and how many they were.
        self._reports: list[tuple[float, float, int]] = []

    def update(self, event: str, candidate: Candidate) -> None:
        """Take note of a change."""
        epochs, seconds = self._known.get(candidate.number, (0, 0.0))
        if event in ("progress", "finished") and candidate.epochs > epochs:
            now = time.monotonic()
            self._reports.append((now - (candidate.seconds - seconds), now, candidate.epochs - epochs))
            while sum(told for *_, told in self._reports[1:]) >= RECENT * self._epochs:
                del self._reports[0]
        self._known[candidate.number] = candidate.epochs, candidate.seconds

    def seconds(self) -> float | None:
        """Return the estimate; `None` before the first epoch, and where nothing is left."""
        running = [one for one in self._ledger.all() if one.state == "running"]
        ahead = self._ahead(running)
        if not self._reports or ahead <= 0:
            return None
        began, told = self._reports[0][0], self._reports[-1][1]
        pace = (told - began) / sum(epochs for *_, epochs in self._reports)
        workers = max(len({one.worker for one in running if one.worker}), 1)
        # At the end some workers have nothing more to train.
        idle = self._expected() * (workers - 1) / 2
        left = (ahead + idle) * pace - (time.monotonic() - told)
        return min(max(left, 0.0), self._limit(workers)) + ENDING

    def _ahead(self, running: Sequence[Candidate]) -> float:
        """Return the epochs that are still to be trained."""
        waiting, expected = self._ledger.remaining(), self._expected()
        first = min(max(FULL_FIRST - self._ledger.count("complete") - len(running), 0), waiting)
        search = first * self._epochs + (waiting - first) * expected
        for one in running:
            left = 0 if one.series else self._epochs - one.epochs
            search += left if one.runs_on else left * expected / self._epochs
        if not self._contests:
            return search
        everything = self._ledger.all()
        trained = sum(one.epochs for one in everything if not one.series and one.state in (*TRAINED, "running"))
        apart = sum(one.epochs for one in everything if one.series)
        return search + max(self._contests * (search + trained) - apart, 0.0)

    def _expected(self) -> float:
        """Return the epochs that a candidate takes once trainings may be stopped."""
        if not self._prunes:
            return self._epochs
        mine = [one for one in self._ledger.all() if one.kind == "search" and one.state in TRAINED and not one.series]
        stopped = [index for index, one in enumerate(mine) if one.state == "pruned"]
        took = [one.epochs for one in mine[stopped[0] :]] if stopped else []
        return (PRIOR_WEIGHT * PRUNED_SHARE * self._epochs + sum(took)) / (PRIOR_WEIGHT + len(took))
