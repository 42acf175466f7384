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

from reports.candidate import TRAINED, Candidate
from reports.measures import MEASURES
from search.study.ledger import Ledger
from search.watching.durations import duration
from search.watching.time_left import TimeLeft

__all__ = ["ProgressDisplay"]

LINE_PERIOD = 10.0


class ProgressDisplay:
    """Shows on stderr how far a run is.

    Args:
        ledger: The run's candidates.
        time_left: Estimates the time left.
    """

    def __init__(self, ledger: Ledger, time_left: TimeLeft) -> None:
        self._ledger = ledger
        self._time_left = time_left
        self._console = Console(file=sys.stderr)
        self._live: Live | None = None
        self._started = time.monotonic()
        self._before = {number for number, candidate in ledger.candidates.items() if candidate.state in TRAINED}
        self._said = -LINE_PERIOD
        self._note = ""
        self._told: set[str] = set()

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
        self.show(note)
        if self._live is None:
            self._print(note)

    def show(self, note: str) -> None:
        """Show a note on a terminal until the next one; elsewhere nothing is printed."""
        self._note = note

    def update(self, event: str, candidate: Candidate) -> None:
        """Take note of a change; off a terminal, print a line from time to time.

        What fails is told at once, each reason once.
        """
        self._note = ""
        trouble = _trouble(event, candidate)
        if trouble and trouble not in self._told:
            self._told.add(trouble)
            self._print(f"candidate {candidate.number} ({candidate.architecture.id}) {trouble}")
        if self._live is None and event == "finished" and time.monotonic() - self._said >= LINE_PERIOD:
            self._print_line()

    def _print_line(self) -> None:
        self._said = time.monotonic()
        self._print(self.summary())

    def _print(self, line: str) -> None:
        self._console.print(f"{self._elapsed()}  {line}", highlight=False, markup=False, soft_wrap=True)

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
        left = self._time_left.seconds()
        if left is not None:
            parts.append(f"{duration(left)} left")
        return ", ".join(parts)

    def _done(self) -> int:
        return self._ledger.count(*TRAINED)

    def _elapsed(self) -> str:
        return duration(time.monotonic() - self._started).rjust(11)

    def _best(self) -> Candidate | None:
        ledger = self._ledger
        complete = [candidate for candidate in ledger.all() if candidate.state == "complete"]
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
        for candidate in ledger.all():
            if candidate.state == "running":
                choices = dict.fromkeys(str(choice) for _, choice in candidate.architecture.choices)
                shown = ", ".join(choices)
                rows.add_row(f"training {candidate.number}", f"{_pace(candidate)}  {shown}")
        left = self._time_left.seconds()
        head = Text(f"{self._done()} of {ledger.trials} candidates, {self._elapsed().strip()}")
        head.append(f", {duration(left)} left" if left is not None else "")
        bar = ProgressBar(total=max(ledger.trials, 1), completed=self._done(), width=50)
        return Group(head, bar, rows, Text(self._note, style="dim"))


def _trouble(event: str, candidate: Candidate) -> str | None:
    """Return what a user should hear of at once: a lost worker, a candidate that failed or took too much memory."""
    if event == "retried":
        return "lost its worker and goes on from its last rung"
    memory = candidate.state == "infeasible" and candidate.reason.startswith("out of memory")
    if event == "finished" and (candidate.state == "failed" or memory):
        return f"{candidate.state}: {candidate.reason}"
    return None


def _pace(candidate: Candidate) -> str:
    """Return how far a training is, on which worker, and how fast it goes."""
    epochs = len(candidate.curve)
    if not epochs:
        return "starting"
    return f"{epochs} epochs on {candidate.worker}, {candidate.seconds / epochs:.2f} s each"
