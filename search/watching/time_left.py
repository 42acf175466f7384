"""How long the rest of a run will take."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from reports.candidate import TRAINED, Candidate
from search.study.ledger import Ledger

__all__ = ["TimeLeft"]

FULL_FIRST = 8
PRUNED_SHARE = 0.3
PRIOR_WEIGHT = 12
RECENT = 8
ENDING = 4.0


@dataclass(slots=True)
class Worker:
    """What a worker has reported.

    Args:
        began: When its first training began, on the monotonic clock.
        told: When it reported last.
        trained: Seconds that it has trained until then.
    """

    began: float
    told: float
    trained: float


class TimeLeft:
    """Estimates the seconds until a run has trained all of its candidates.

    Work is counted in epochs. Baselines are trained in full, and so are the first eight candidates, which no
    pruner stops for want of comparison. A later one takes three tenths of a training, or what those took that
    began since the first one that was stopped, the more of them the more so. An epoch takes as long as lately, and
    a worker trains as large a share of its time as so far: the start-up of workers is over when they report. The
    report and the end of the workers take four seconds more.

    Args:
        ledger: The run's candidates.
        limit: Tells the seconds until the run ends for another reason, with so many workers in training.
        epochs: Epochs of a whole training.
        prunes: Whether trainings are stopped early at all.
        contests: How many baselines of the search follow it, each with as many epochs as itself.
    """

    def __init__(
        self, ledger: Ledger, limit: Callable[[int], float], *, epochs: int, prunes: bool, contests: int = 0
    ) -> None:
        self._ledger, self._limit = ledger, limit
        self._epochs, self._prunes, self._contests = epochs, prunes, contests
        self._workers: dict[str, Worker] = {}
        self._seconds = {number: candidate.seconds for number, candidate in ledger.candidates.items()}
        self._passes = {number: len(candidate.curve) for number, candidate in ledger.candidates.items()}
        self._paces: list[tuple[float, int]] = []

    def update(self, event: str, candidate: Candidate) -> None:
        """Take note of a change."""
        number, name = candidate.number, candidate.worker
        if event == "retried":
            self._workers.pop(name, None)
        if event == "continued":
            self._seconds[number], self._passes[number] = candidate.seconds, len(candidate.curve)
        if event not in ("progress", "finished") or not name or not candidate.curve:
            return
        seconds = candidate.seconds - self._seconds.get(number, 0.0)
        if seconds > 0:
            now = time.monotonic()
            worker = self._workers.setdefault(name, Worker(now - seconds, now, 0.0))
            worker.told = now
            worker.trained += seconds
            self._paces.append((seconds, max(len(candidate.curve) - self._passes.get(number, 0), 0)))
        self._seconds[number], self._passes[number] = candidate.seconds, len(candidate.curve)

    def seconds(self) -> float | None:
        """Return the estimate; `None` before the first epoch, where nothing is left, and while no worker is known."""
        ahead, epoch = self._ahead(), self._epoch()
        if epoch is None or ahead <= 0 or not self._workers:
            return None
        work = ahead * epoch - self._unreported(epoch)
        shares = [w.trained / max(w.told - w.began, w.trained) for w in list(self._workers.values())]
        tail = self._expected() * epoch / 2 * (1 - 1 / len(shares))
        return min(max(work, 0.0) / sum(shares) + tail, self._limit(len(shares))) + ENDING

    def _epoch(self) -> float | None:
        """Return the seconds that an epoch takes, by the last eight trainings' worth of epochs."""
        total, epochs = 0.0, 0
        for seconds, told in reversed(self._paces):
            total, epochs = total + seconds, epochs + told
            if epochs >= RECENT * self._epochs:
                break
        return total / epochs if epochs else None

    def _ahead(self) -> float:
        """Return the epochs that are still to be trained."""
        candidates = [candidate for candidate in self._ledger.all() if not candidate.series]
        running = [candidate for candidate in candidates if candidate.state == "running"]
        started = sum(self._remaining(candidate) for candidate in running)
        first = min(max(FULL_FIRST - self._ledger.count("complete") - len(running), 0), self._ledger.remaining())
        later = self._ledger.remaining() - first
        search = started + first * self._epochs + later * self._expected()
        if not self._contests:
            return search
        whole = search + sum(
            len(candidate.curve) for candidate in candidates if candidate.state in (*TRAINED, "running")
        )
        apart = sum(len(candidate.curve) for candidate in self._ledger.all() if candidate.series)
        return search + max(self._contests * whole - apart, 0.0)

    def _remaining(self, candidate: Candidate) -> float:
        left = self._epochs - len(candidate.curve)
        return left if self._is_certain(candidate) else left * self._expected() / self._epochs

    def _is_certain(self, candidate: Candidate) -> bool:
        """Return whether a running candidate will not be stopped: by right, or because its last rung is the next."""
        return candidate.runs_on or 2 * len(candidate.curve) >= self._epochs

    def _expected(self) -> float:
        """Return the epochs that a candidate takes once trainings may be stopped."""
        if not self._prunes:
            return self._epochs
        mine = [c for c in self._ledger.all() if c.kind == "search" and not c.series]
        first = min((candidate.number for candidate in mine if candidate.state == "pruned"), default=None)
        since = [] if first is None else [candidate for candidate in mine if candidate.number >= first]
        told = [len(candidate.curve) for candidate in since if candidate.state in TRAINED]
        told += [self._epochs for candidate in since if candidate.state == "running" and self._is_certain(candidate)]
        prior = PRIOR_WEIGHT * PRUNED_SHARE * self._epochs
        return (prior + sum(told)) / (PRIOR_WEIGHT + len(told))

    def _unreported(self, epoch: float) -> float:
        """Return the seconds that have been trained since the workers reported, as far as is known."""
        now = time.monotonic()
        busy = {c.worker: c for c in self._ledger.all() if c.state == "running" and c.worker}
        waits = {name: now - worker.told for name, worker in list(self._workers.items()) if name in busy}
        return sum(min(wait, self._remaining(busy[name]) * epoch) for name, wait in waits.items())
