"""At which epochs a learning curve is looked at."""

from __future__ import annotations

from collections.abc import Collection

__all__ = ["looks"]

LOOKS = 4


def looks(epochs: Collection[int]) -> tuple[int, ...]:
    """Return the last of these epochs, and the last ones up to 1/2, 1/4 and 1/8 of it; fewer in a short curve."""
    last = max(epochs, default=0)
    seen = []
    for halvings in range(LOOKS):
        there = [epoch for epoch in epochs if epoch <= last / 2**halvings]
        if there:
            seen.append(max(there))
    return tuple(dict.fromkeys(seen))
