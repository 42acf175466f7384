"""What a person sees while a run goes on: a live table on a terminal, timed plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from reports.candidates.candidate import TERMINAL, TRAINED, Candidate
from reports.measures import MEASURES
from reports.phrases import duration
from search.study.ledger import Ledger
from search.study.retraining import Retraining
from search.watching.time_left import TimeLeft

__all__ = ["ProgressDisplay"]

LINE_PERIOD = 10.0
# So many of those in training have a line each on a terminal.
SHOWN = 24


class ProgressDisplay:
    """Shows on stderr how far a search is, or where there is one the retraining after it."""

    def __init__(self, ledger: Ledger, time_left: TimeLeft, retraining: Retraining | None = None) -> None:
        self._ledger, self._time_left, self._retraining = ledger, time_left, retraining
        self._console = Console(file=sys.stderr)
        self._live: Live | None = None
        self._started = time.monotonic()
        self._done_before = self._done()
        self._printed = -LINE_PERIOD
        self._note = self._stage = ""
        self._reported: set[str] = set()

    def __enter__(self) -> Self:
        self._started = time.monotonic()
        if self._console.is_terminal:
            self._live = Live(console=self._console, get_renderable=self._table, refresh_per_second=4)
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None
        elif self._done() > self._done_before:
            self._print(self.summary())

    def say(self, note: str) -> None:
        """Show a note until the first candidate is under way."""
        self.show(note)
        if self._live is None:
            self._print(note)

    def show(self, note: str) -> None:
        """Show a note on a terminal until the next one; elsewhere nothing is printed."""
        self._note = note

    def update(self, event: str, candidate: Candidate, stage: str = "") -> None:
        """Take note of a change; off a terminal, print a line from time to time.

        What fails is reported at once, each reason once, and so is the beginning of a stage.

        Args:
            event: What has happened.
            candidate: To which candidate.
            stage: What is trained at present beside the search; empty where it is the search itself.
        """
        self._note = ""
        before, self._stage = self._stage, stage
        if self._live is None and stage and stage != before:
            self._print(stage)
        trouble = _trouble(event, candidate)
        if trouble and trouble not in self._reported:
            self._reported.add(trouble)
            self._print(f"candidate {candidate.number} ({candidate.id}) {trouble}")
        if self._live is None and event == "finished" and time.monotonic() - self._printed >= LINE_PERIOD:
            self._printed = time.monotonic()
            self._print(self.summary())

    def summary(self) -> str:
        """Return the state of the run in one line."""
        counts = [f"{count} {state}" for state, count in self._counts().items()]
        return ", ".join([self._head(), *counts, *self._best(), *self._left()])

    def _print(self, line: str) -> None:
        self._console.print(f"{self._elapsed():>11}  {line}", highlight=False, markup=False, soft_wrap=True)

    def _table(self) -> Group:
        rows = Table.grid(padding=(0, 2))
        for state, count in self._counts().items():
            rows.add_row(state, str(count))
        for best in self._best():
            rows.add_row(*best.split(" ", 1))
        running = self._ledger.running()
        for one in running[:SHOWN]:
            choices = dict.fromkeys(str(choice) for _, choice in one.architecture.choices)
            rows.add_row(f"training {one.number}", f"{_pace(one)}  {', '.join(choices)}")
        if len(running) > SHOWN:
            rows.add_row("training", f"{len(running) - SHOWN} more")
        head = Text(", ".join([self._head(), self._elapsed(), *self._left()]))
        bar = ProgressBar(total=max(self._most(), 1), completed=self._done(), width=50)
        return Group(head, bar, rows, Text(self._note, style="dim"))

    def _done(self) -> int:
        return self._ledger.count(*TRAINED) if self._retraining is None else self._retraining.done()

    def _most(self) -> int:
        return max(self._ledger.trials, self._done()) if self._retraining is None else self._retraining.most()

    def _head(self) -> str:
        counted = f"{self._done()} of {self._most()} {'candidates' if self._retraining is None else 'retrainings'}"
        return f"{self._stage}; {counted}" if self._stage else counted

    def _counts(self) -> dict[str, int]:
        if self._retraining is not None:
            states = [one.state for one in self._retraining.candidates()]
            return {state: states.count(state) for state in TERMINAL if state in states}
        return {state: count for state in TERMINAL if (count := self._ledger.count(state))}

    def _elapsed(self) -> str:
        return duration(time.monotonic() - self._started)

    def _left(self) -> list[str]:
        left = self._time_left.seconds()
        return [] if left is None else [f"{duration(left)} left"]

    def _best(self) -> list[str]:
        """Return the best complete candidate of a search in words; nothing before there is one."""
        if self._retraining is not None or self._ledger.first is None:
            return []
        measure = MEASURES[self._ledger.quality]
        beyond, loss, params, architecture = self._ledger.first
        return [
            f"best {measure.label} {measure.format(measure.sign * loss)}, {MEASURES['params'].format(params)} "
            f"parameters ({architecture}){', beyond the constraints' if beyond else ''}"
        ]


def _trouble(event: str, candidate: Candidate) -> str | None:
    """Return what is reported at once: a lost worker, a candidate that failed or took too much memory."""
    if event == "retried":
        return "lost its worker and goes on from its last rung"
    memory = candidate.state == "infeasible" and candidate.reason.startswith("out of memory")
    if event == "finished" and (candidate.state == "failed" or memory):
        return f"{candidate.state}: {candidate.reason}"
    return None


def _pace(candidate: Candidate) -> str:
    """Return how far a training is, on which worker, and how fast it goes."""
    if not candidate.trained_epochs:
        return "starting"
    pace = candidate.seconds / candidate.trained_epochs
    return f"{candidate.epochs} epochs on {candidate.worker}, {pace:.2f} s each"
