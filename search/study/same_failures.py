"""Whether all candidates fail for one reason: then the fault is not theirs, and further ones would fail, too."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from reports.candidates.candidate import Candidate

__all__ = ["LOST", "SameFailures"]

# What ends a worker from outside is no fault that candidates share.
LOST = "its worker was lost, and so was every retry's"
_SUCCEEDED = ("complete", "pruned")
_NUMBER = re.compile(r"0x[0-9a-fA-F]+|\d+(\.\d+)?(e[+-]?\d+)?")


class SameFailures:
    """Counts the candidates that failed for one reason since the driver started; numbers and addresses may differ.

    Args:
        limit: How many end the run, as long as no candidate has come further; `None` for no such end.

    Attributes:
        reason: Why all candidates fail, as the last of them said it; empty while they do not.
        count: How many failed for it.
    """

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._seen: Counter[tuple[str, str]] = Counter()
        self.reason = ""
        self.count = 0

    def ended(self, candidate: Candidate, known: Iterable[Candidate]) -> None:
        """Take in a candidate that ended, beside all that are known."""
        if self._limit is None or candidate.state != "failed" or LOST in candidate.reason:
            return
        kind = candidate.recipe, _NUMBER.sub("#", candidate.reason)
        self._seen[kind] += 1
        if self._seen[kind] >= self._limit and not any(_came_further(other, candidate) for other in known):
            self.reason, self.count = candidate.reason, self._seen[kind]


def _came_further(other: Candidate, failed: Candidate) -> bool:
    """Return whether a candidate shows that not all fail where this one did: trained, or beyond that epoch already.

    Trainings of the search say nothing of retrainings, nor do those of another recipe.
    """
    if other.recipe != failed.recipe:
        return False
    return other.state in _SUCCEEDED or (other.state == "running" and other.epochs > failed.epochs)
