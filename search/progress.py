"""What a person sees while a run goes on: a live table on a terminal, timed plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from reports.measures import MEASURES
from search.candidate import TRAINED, Candidate
from search.ledger import Ledger

__all__ = ["ProgressDisplay", "duration"]

LINE_PERIOD = 10.0
FEW = 4


def duration(seconds: float) -> str:
    """Return a time span as people write it: `45 s`, `3 min 05 s`, `2 h 10 min`."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 3600:
        return f"{seconds // 60:.0f} min {seconds % 60:02.0f} s"
    return f"{seconds // 3600:.0f} h {seconds % 3600 // 60:02.0f} min"


class ProgressDisplay:
    """Shows on stderr how far a run is.

    Args:
        ledger: The run's candidates.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._console = Console(file=sys.stderr)
        self._live: Live | None = None
        self._started = time.monotonic()
        self._before = {number for number, candidate in ledger.candidates.items() if candidate.state in TRAINED}
        self._said = -LINE_PERIOD
        self._ends: list[float] = []
        self._note = ""

    def __enter__(self) -> Self:
        self._started = time.monotonic()
        if self._console.is_terminal:
            self._live = Live(console=self._console, get_renderable=self._table, refresh_per_second=4)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None
        elif self._done() > len(self._before):
            self._print_line()

    def say(self, note: str) -> None:
        """Show a note until the first candidate is under way."""
        self._note = note
        if self._live is None:
            self._console.print(f"{self._elapsed()}  {note}", highlight=False)

    def update(self, event: str, candidate: Candidate) -> None:
        """Take note of a change; off a terminal, print a line from time to time."""
        self._note = ""
        if event == "finished" and candidate.state in TRAINED:
            self._ends.append(time.monotonic())
        if self._live is None and event == "finished" and time.monotonic() - self._said >= LINE_PERIOD:
            self._print_line()

    def _print_line(self) -> None:
        self._said = time.monotonic()
        self._console.print(f"{self._elapsed()}  {self.summary()}", highlight=False, soft_wrap=True)

    def summary(self) -> str:
        """Return the state of the run in one line."""
        ledger = self._ledger
        parts = [f"{self._done()} of {ledger.trials} candidates"]
        parts += [
            f"{count} {state}"
            for state in ("complete", "pruned", "failed", "infeasible", "duplicate")
            if (count := ledger.count(state))
        ]
        best = self._best()
        if best is not None:
            measure = MEASURES[ledger.quality]
            value = measure.format(best.best(ledger.quality, maximize=ledger.maximize)[ledger.quality])
            parts.append(f"best {measure.label} {value} ({best.architecture.id})")
        left = self._left()
        if left is not None:
            parts.append(f"{duration(left)} left")
        return ", ".join(parts)

    def _done(self) -> int:
        return self._ledger.count(*TRAINED)

    def _elapsed(self) -> str:
        return duration(time.monotonic() - self._started).rjust(11)

    def _left(self) -> float | None:
        """Return the seconds that the rest will take, at the rate at which the later half of the candidates ended.

        The later half knows how often the pruner stops, which the first candidates do not. Before there are four,
        it is the training time of a candidate, shared by the workers.
        """
        here = [candidate for candidate in self._ledger.candidates.values() if candidate.number not in self._before]
        done = [candidate for candidate in here if candidate.state in TRAINED]
        ahead = self._ledger.remaining() + self._ledger.count("running")
        if not done or ahead <= 0:
            return None
        if len(self._ends) >= FEW:
            later = self._ends[len(self._ends) // 2 - 1 :]
            period = (time.monotonic() - later[0]) / (len(later) - 1)
            return period * max(ahead - self._ledger.count("running") / 2, 0.5)
        mean = sum(candidate.seconds for candidate in done) / len(done)
        spent = sum(candidate.seconds for candidate in here if candidate.state == "running")
        workers = len({candidate.worker for candidate in here if candidate.worker})
        return max(mean * ahead - spent, 0.0) / max(workers, 1)

    def _best(self) -> Candidate | None:
        ledger = self._ledger
        complete = [candidate for candidate in ledger.candidates.values() if candidate.state == "complete"]
        sign = 1.0 if ledger.maximize else -1.0
        return max(
            complete,
            key=lambda candidate: (
                sign * candidate.best(ledger.quality, maximize=ledger.maximize)[ledger.quality],
                -candidate.params,
            ),
            default=None,
        )

    def _table(self) -> Group:
        ledger = self._ledger
        rows = Table.grid(padding=(0, 2))
        for state in ("complete", "pruned", "failed", "infeasible", "duplicate"):
            if count := ledger.count(state):
                rows.add_row(f"{state}", str(count))
        best = self._best()
        if best is not None:
            measure = MEASURES[ledger.quality]
            value = measure.format(best.best(ledger.quality, maximize=ledger.maximize)[ledger.quality])
            params = MEASURES["params"].format(best.params)
            rows.add_row("best", f"{value} {measure.label}, {params} parameters ({best.architecture.id})")
        for candidate in list(ledger.candidates.values()):
            if candidate.state == "running":
                choices = dict.fromkeys(str(choice) for _, choice in candidate.architecture.choices)
                shown = ", ".join(choices)
                rows.add_row(f"training {candidate.number}", f"{_pace(candidate)}  {shown}")
        left = self._left()
        head = Text(f"{self._done()} of {ledger.trials} candidates, {self._elapsed().strip()}")
        head.append(f", {duration(left)} left" if left is not None else "")
        bar = ProgressBar(total=max(ledger.trials, 1), completed=self._done(), width=50)
        return Group(head, bar, rows, Text(self._note, style="dim"))


def _pace(candidate: Candidate) -> str:
    """Return how far a training is, on which worker, and how fast it goes."""
    epochs = len(candidate.curve)
    if not epochs:
        return "starting"
    return f"{epochs} epochs on {candidate.worker}, {candidate.seconds / epochs:.2f} s each"
