"""What was done to files and arrays without being asked, counted by kind, so that all of it is told."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock

__all__ = ["Notices"]

# So much of the range that is known must be used, or few grey levels are left.
USED = 4


@dataclass(slots=True)
class _Found:
    count: int
    first: str
    largest: int = 0
    limit: int = 0


class Notices:
    """Counts of what is to be told of a data set; several threads may add to it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._found: dict[str, _Found] = {}
        self._said: list[str] = []

    def say(self, sentence: str) -> None:
        """Take in a sentence about the whole set, without its full stop."""
        self._said.append(sentence)

    def add(self, what: str, name: str, *, largest: int = 0, limit: int = 0, count: int = 1) -> None:
        """Count what is in a file.

        Args:
            what: What it is, in the plural, such as `pictures of 16 bits`.
            name: How the file is called; the first in the alphabet is told.
            largest: Its largest value, where `limit` is the largest that there could be.
            limit: The value that becomes white.
            count: How many of them there are in it.
        """
        with self._lock:
            found = self._found.setdefault(what, _Found(0, name, limit=limit))
            found.count += count
            found.first, found.largest = min(found.first, name), max(found.largest, largest)

    def mentions(self, what: str) -> bool:
        """Return whether something was counted whose name has this in it."""
        return any(what in known for known in self._found)

    def told(self) -> tuple[str, ...]:
        """Return a sentence for each kind, in the order of the alphabet, after those about the whole set."""
        return (*self._said, *(_told(what, self._found[what]) for what in sorted(self._found)))


def _told(what: str, found: _Found) -> str:
    said = f"{what}: {found.count:,}, the first is {found.first}"
    if not 0 < found.largest * USED <= found.limit:
        return said
    return (
        f"{said}. Their largest value is {found.largest:,} of {found.limit:,}, so few of the 256 grey levels are left; "
        f"`data.range: [0, {found.largest}]` uses all of them"
    )
