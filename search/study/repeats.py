"""What a proposal repeats of what was proposed before."""

from __future__ import annotations

from collections.abc import Mapping

from reports.candidates.candidate import STAGES, TERMINAL, Candidate
from search.strategy.known import Known

__all__ = ["ONE_EPOCH", "Repeats"]

ONE_EPOCH = "one_epoch"


class Repeats:
    """Knows of every architecture with its hyperparameters which candidate of the search stands for it.

    That is the first one that was proposed, or a second look at it. Duplicates and controls stand for nothing.

    Args:
        candidates: The run's candidates by number, as they are at any time.
    """

    def __init__(self, candidates: Mapping[int, Candidate]) -> None:
        self._candidates = candidates
        self._standing, self._looks = Known(), Known()

    def remember(self, candidate: Candidate) -> None:
        """Take in a candidate."""
        if candidate.again:
            self._standing[candidate.id] = candidate.number
            if not self.looked_at(candidate):
                self._looks[candidate.id] = candidate.number
        elif candidate.state != "duplicate" and not candidate.series and candidate.id not in self._standing:
            self._standing[candidate.id] = candidate.number

    def looked_at(self, candidate: Candidate) -> bool:
        """Return whether a second look at a candidate has ended."""
        _, look = self._noted(self._looks, candidate)
        return look is not None and look.state in TERMINAL

    def take(self, candidate: Candidate) -> int | None:
        """Return the number of the candidate that a proposal is a duplicate of, and copy that one's result.

        What repeats a stopped candidate is no duplicate but a second look, unless that one was a second look itself.
        """
        if candidate.role:
            return self._take_retraining(candidate)
        if candidate.series in STAGES:
            return None
        if candidate.series:
            return self._take_control(candidate)
        number, earlier = self._noted(self._standing, candidate)
        if earlier is not None and earlier.state == "pruned" and not earlier.again:
            candidate.again = True
            candidate.reason = f"a second look at candidate {number}, which was stopped at epoch {earlier.epochs}"
            candidate.start, candidate.before = number, earlier.epochs
            return None
        if earlier is not None and earlier.state == "complete":
            _copy(earlier, candidate)
        return number

    def _noted(self, noted: Known, candidate: Candidate) -> tuple[int | None, Candidate | None]:
        """Return the number that is noted for a candidate's architecture, and whose it is, unless that one waits."""
        number = noted.get(candidate.id)
        found = None if number is None else self._candidates.get(number)
        if found is not None and found.id != candidate.id:
            # Their hashes are the same.
            return None, None
        return number, found

    def _take_retraining(self, candidate: Candidate) -> int | None:
        """Only an equal retraining will do: the search has seen no test image, and picked what had been lucky."""
        for other in self._candidates.values():
            equal = (other.id, other.seed, other.recipe) == (candidate.id, candidate.seed, candidate.recipe)
            if equal and other.state == "complete" and other.number != candidate.number:
                _copy(other, candidate)
                return other.number
        return None

    def _take_control(self, candidate: Candidate) -> int | None:
        """Equal seeds give equal trainings: whatever was trained for long enough will do."""
        short = candidate.series == ONE_EPOCH
        for other in self._candidates.values():
            known = other.curve if short else other.state == "complete"
            if known and other.id == candidate.id and other.number != candidate.number and not other.beside:
                _copy(other, candidate)
                if short:
                    candidate.curve, candidate.measured = candidate.curve[:1], {}
                return other.number
        return None


def _copy(original: Candidate, candidate: Candidate) -> None:
    candidate.curve, candidate.measured = list(original.curve), dict(original.measured)
    candidate.feasible = original.feasible
