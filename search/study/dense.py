"""A whole number for each of many things that are numbered themselves, in eight bytes a thing."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, MutableMapping

__all__ = ["Dense"]

_NOTHING = -1


class Dense(MutableMapping[int, int]):
    """Numbers from 0 on, by keys that are numbers from 0 on and given more or less in turn; by key when iterated."""

    def __init__(self) -> None:
        self._values: array[int] = array("q")
        self._count = 0

    def __getitem__(self, key: int) -> int:
        """Return the number of a key."""
        if key not in self:
            raise KeyError(key)
        return self._values[key]

    def __setitem__(self, key: int, value: int) -> None:
        """Note the number of a key."""
        self._values.extend([_NOTHING] * (key + 1 - len(self._values)))
        self._count += self._values[key] == _NOTHING
        self._values[key] = value

    def __delitem__(self, key: int) -> None:
        """Forget a key."""
        if key not in self:
            raise KeyError(key)
        self._values[key] = _NOTHING
        self._count -= 1

    def __contains__(self, key: object) -> bool:
        """Return whether there is a number of a key."""
        return isinstance(key, int) and 0 <= key < len(self._values) and self._values[key] != _NOTHING

    def __iter__(self) -> Iterator[int]:
        """Iterate over the keys; some may be added meanwhile."""
        return (key for key in range(len(self._values)) if self._values[key] != _NOTHING)

    def __len__(self) -> int:
        """Return how many keys there are."""
        return self._count
