"""The candidates of a run by number, of which a long run keeps the latest in memory."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping

from reports.candidates.candidate import Candidate
from search.study.dense import Dense
from search.study.parked import Park

__all__ = ["Candidates"]

# So many of those that have ended stay in memory.
KEPT = 2048


class Candidates(MutableMapping[int, Candidate]):
    """Candidates by number; those that ended long ago lie in a file of the process, and are read whenever asked for.

    So an ended candidate is not to be changed. Those in the file come first, by number, the others as they were put in.

    Args:
        kept: How many of those that have ended stay in memory.
    """

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._here: dict[int, Candidate] = {}
        # The numbers of those here that have ended, the oldest first.
        self._ended: dict[int, None] = {}
        # By number, the place in the file.
        self._places = Dense()
        self._park: Park | None = None

    def ended(self, number: int) -> None:
        """Note that a candidate has ended, and put away the one that has been kept longest, if there are too many.

        What is no candidate of the search itself stays: there are few, and they are asked for often.
        """
        if self._here[number].series:
            return
        self._ended[number] = None
        while len(self._ended) > self._kept:
            self._park = self._park or Park()
            oldest = next(iter(self._ended))
            try:
                place = self._park.put(self._here[oldest])
            except OSError:
                # There is no room for it: it stays in memory, and is tried again when the next one ends.
                return
            self._places[oldest] = place
            del self._here[oldest], self._ended[oldest]

    def __getitem__(self, number: int) -> Candidate:
        """Return a candidate."""
        found = self._here.get(number)
        if found is not None:
            return found
        if self._park is None:
            raise KeyError(number)
        candidate: Candidate = self._park.get(self._places[number])
        return candidate

    def __setitem__(self, number: int, candidate: Candidate) -> None:
        """Put in a candidate."""
        if number in self._places:
            raise KeyError(f"candidate {number} has ended")
        self._here[number] = candidate

    def __delitem__(self, number: int) -> None:
        """Take out a candidate that has not ended."""
        del self._here[number]
        self._ended.pop(number, None)

    def __contains__(self, number: object) -> bool:
        """Return whether there is a candidate of that number."""
        return number in self._here or number in self._places

    def __iter__(self) -> Iterator[int]:
        """Iterate over the numbers."""
        yield from self._places
        yield from list(self._here)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._places) + len(self._here)
