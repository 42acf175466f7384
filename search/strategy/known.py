"""What is known of each of very many things, in sixteen bytes a thing."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Hashable

import numpy as np

__all__ = ["Known"]

# So many wait, in a dictionary, to be sorted in with the others.
WAITING = 4096


class Known:
    """A number by key, of which nothing is kept but its hash: two of 64 bits that are equal are taken for one key.

    With 100,000 keys that happens once in four billion times. Python's hashes of text and bytes are others in every
    process.
    """

    def __init__(self) -> None:
        self._hashes: array[int] = array("q")
        self._values: array[int] = array("q")
        self._waiting: dict[int, int] = {}

    def __setitem__(self, key: Hashable, value: int) -> None:
        """Note a number, in place of the one that is known."""
        known = hash(key)
        place = self._place(known)
        if place is not None:
            self._values[place] = value
            return
        self._waiting[known] = value
        if len(self._waiting) > WAITING:
            self._sort_in()

    def get(self, key: Hashable) -> int | None:
        """Return the number of a key, if there is one."""
        known = hash(key)
        value = self._waiting.get(known)
        if value is not None:
            return value
        place = self._place(known)
        return None if place is None else self._values[place]

    def __contains__(self, key: object) -> bool:
        """Return whether there is a number of a key."""
        return self.get(key) is not None

    def __len__(self) -> int:
        """Return how many keys there are."""
        return len(self._hashes) + len(self._waiting)

    def _place(self, known: int) -> int | None:
        place = bisect_left(self._hashes, known)
        return place if place < len(self._hashes) and self._hashes[place] == known else None

    def _sort_in(self) -> None:
        hashes = np.concatenate([np.array(self._hashes, dtype=np.int64), np.array(list(self._waiting), dtype=np.int64)])
        values = np.concatenate(
            [np.array(self._values, dtype=np.int64), np.array(list(self._waiting.values()), dtype=np.int64)]
        )
        order = np.argsort(hashes, kind="stable")
        self._hashes, self._values = array("q", hashes[order].tobytes()), array("q", values[order].tobytes())
        self._waiting = {}
