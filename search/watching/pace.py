"""How often something is written while a run goes on: once a second, and more rarely where it takes long."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Pace"]


class Pace:
    """Says when something is due again: after a period, and once the time since then is so many times what it took.

    Args:
        period: Seconds from one time to the next, at least.
        share: What it may take of the time, at most.
    """

    def __init__(self, period: float = 1.0, share: float = 0.01) -> None:
        self._period, self._share = period, share
        self._next = -math.inf

    def due(self) -> bool:
        """Return whether it is time again."""
        return time.monotonic() >= self._next

    @contextmanager
    def doing(self) -> Iterator[None]:
        """Take the time that the block takes."""
        began = time.monotonic()
        yield
        ended = time.monotonic()
        self._next = ended + max(self._period, (ended - began) / self._share)
