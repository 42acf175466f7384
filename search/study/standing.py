"""What there is of a run's candidates: counted, measured, as rows of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reports.candidates.candidate import Candidate
from search.study.candidates import Candidates
from search.study.measuring import Measuring
from search.study.repeats import Repeats
from search.study.tally import Tally

__all__ = ["Standing"]


class Standing:
    """Answers questions about the candidates of a run; `Ledger` changes them.

    Args:
        objectives: Names of the objectives, in the study's order.
        constraints: Bounds by measure.

    Attributes:
        candidates: By number, all but those that wait for their training to go on; what has ended is not to be changed.
        tally: What they come to.
        quality: The first objective that is a quality.
        maximize: Whether that is to be great.
        first: Of the best complete candidate that was proposed or is a control: whether it breaks a constraint, its
            loss, its parameters and its id; `None` before there is one.
    """

    def __init__(self, objectives: Sequence[str], constraints: Mapping[str, float]) -> None:
        self.objectives = tuple(objectives)
        self.constraints = dict(constraints)
        self.candidates = Candidates()
        self.tally = Tally()
        self._measuring = Measuring(objectives, constraints)
        self.quality, self.maximize = self._measuring.quality, self._measuring.maximize
        self._repeats = Repeats(self.candidates)
        self._released: dict[int, Candidate] = {}
        self.first: tuple[bool, float, int, str] | None = None

    def all(self) -> list[Candidate]:
        """Return the candidates as they are now; another thread may look at them while some are added."""
        found = (self.candidates.get(number) for number in list(self.candidates))
        return [candidate for candidate in found if candidate is not None]

    def running(self) -> list[Candidate]:
        """Return the candidates that are handed out and not ended."""
        return list(self.tally.running.values())

    def of_series(self, series: str) -> list[Candidate]:
        """Return the candidates of a series, which is not empty, by number."""
        return [self.candidates[number] for number in sorted(self.tally.apart.get(series, ()))]

    def count(self, *states: str) -> int:
        """Return how many of the search's candidates are in these states; controls do not count."""
        return self.tally.count(*states)

    def in_training(self) -> int:
        """Return how many candidates are handed out and not ended."""
        return len(self.tally.running)

    def trained_seconds(self) -> float:
        """Return the seconds in training of all candidates together, of those that wait to go on, too."""
        return self.tally.seconds + sum(candidate.seconds for candidate in self._released.values())

    def trained_epochs(self) -> int:
        """Return the epochs that were trained for all candidates together; what a duplicate copies does not count."""
        return self.tally.epochs + sum(candidate.trained_epochs for candidate in self._released.values())

    def may_be_taken_up(self, candidate: Candidate) -> bool:
        """Return whether a second look may go on from a candidate: it was stopped, and has had none that has ended."""
        if candidate.state != "pruned" or candidate.series or candidate.again:
            return False
        return not self._repeats.looked_at(candidate)

    def to_go_on(self) -> list[Candidate]:
        """Return the candidates that wait for their training to go on."""
        return list(self._released.values())

    def loss(self, candidate: Candidate) -> float:
        """Return the quality of a candidate's best epoch, as a value to minimise; infinite before the first one."""
        return self._measuring.loss(candidate)

    def measures(self, candidate: Candidate) -> dict[str, float]:
        """Return everything that is known of a candidate, by measure."""
        return self._measuring.measures(candidate)

    def records(self) -> list[dict[str, Any]]:
        """Return a row of the candidates table for every candidate, by number."""
        rows = sorted(self.candidates.values(), key=lambda candidate: candidate.number)
        return [self.record(candidate) for candidate in rows]

    def record(self, candidate: Candidate) -> dict[str, Any]:
        """Return a candidate's row of the candidates table."""
        return candidate.record(self.quality, maximize=self.maximize)

    def _compare(self, candidate: Candidate) -> None:
        """Take note of a candidate that has ended if it is the best one."""
        if candidate.state == "complete" and not candidate.beside:
            place = (not candidate.feasible, self.loss(candidate), candidate.params, candidate.id)
            self.first = place if self.first is None else min(self.first, place)
