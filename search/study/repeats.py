"""Which architectures were proposed before, and what a repeated proposal makes of that."""

from __future__ import annotations

from collections.abc import Mapping

from reports.candidate import Candidate

__all__ = ["Repeats"]


class Repeats:
    """Knows of every architecture which candidate of the search stands for it.

    That is the first one that was proposed, or a second look at it.

    Args:
        candidates: The run's candidates by number, as they are at any time.
    """

    def __init__(self, candidates: Mapping[int, Candidate]) -> None:
        self._candidates = candidates
        self._standing: dict[str, int] = {}

    def __contains__(self, architecture_id: str) -> bool:
        return architecture_id in self._standing

    def remember(self, candidate: Candidate) -> None:
        """Take in a candidate; duplicates and what is there for comparison stand for nothing."""
        if candidate.again:
            self._standing[candidate.architecture.id] = candidate.number
        elif candidate.state != "duplicate" and not candidate.series:
            self._standing.setdefault(candidate.architecture.id, candidate.number)

    def earlier(self, candidate: Candidate) -> int | None:
        """Return the number of the candidate that stands for this one's architecture, if one does."""
        return self._standing.get(candidate.architecture.id)

    def take_second_look(self, candidate: Candidate, stopped: int | None) -> bool:
        """Make a candidate a second look at the one numbered `stopped`; return whether it is one.

        It is where that one stands for the same architecture and was stopped.
        """
        original = None if stopped is None else self._candidates.get(stopped)
        if original is None or original.state != "pruned" or self.earlier(candidate) != stopped:
            return False
        candidate.again = True
        candidate.reason = f"a second look at candidate {stopped}, which was stopped at epoch {len(original.curve)}"
        return True

    def copy_result(self, candidate: Candidate) -> None:
        """Copy the result of the candidate that stands for this one's architecture, where it is complete."""
        earlier = self.earlier(candidate)
        original = None if earlier is None else self._candidates.get(earlier)
        if original is not None and original.state == "complete":
            _copy(original, candidate)

    def copy_known(self, candidate: Candidate, *, short: bool) -> int | None:
        """Copy what any candidate has trained already, for a comparison; return that one's number, if there is one.

        Equal seeds give equal trainings.

        Args:
            candidate: The candidate for comparison.
            short: Whether one epoch is all that is to be known.
        """
        for other in self._candidates.values():
            known = other.curve if short else other.state == "complete"
            if known and other.architecture.id == candidate.architecture.id and other.number != candidate.number:
                _copy(other, candidate)
                if short:
                    candidate.curve, candidate.measured = candidate.curve[:1], {}
                return other.number
        return None


def _copy(original: Candidate, candidate: Candidate) -> None:
    candidate.curve, candidate.measured = list(original.curve), dict(original.measured)
    candidate.feasible = original.feasible
