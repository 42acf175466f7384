"""Linear algebra on one thread: its matrices are small, and threads that wait for each other take more than they give.

Where trainings or other programs want the cores, a factorisation of 200 × 200 takes 16 times as long with two threads.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import Lock
from typing import Any

from threadpoolctl import ThreadpoolController

__all__ = ["one_thread"]


class Held:
    """How many hold the libraries to one thread; who comes first sets that, and who goes last gives back what was."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._many = 0
        self._limits: Any = None

    def enter(self) -> None:
        """Hold them to one thread."""
        with self._lock:
            if not self._many:
                self._limits = _libraries().limit(limits=1, user_api="blas")
            self._many += 1

    def leave(self) -> None:
        """Give back what was, unless others still hold them."""
        with self._lock:
            self._many -= 1
            if not self._many:
                self._limits.restore_original_limits()


_HELD = Held()


@contextmanager
def one_thread() -> Iterator[None]:
    """Hold the linear algebra of NumPy and SciPy to one thread; a function that is decorated by it, too.

    The libraries have one number of threads for the whole process: it is given back once nobody is within.
    """
    _HELD.enter()
    try:
        yield
    finally:
        _HELD.leave()


@cache
def _libraries() -> ThreadpoolController:
    import scipy.linalg  # noqa: F401 - whose library is its own, and is to be held as well

    return ThreadpoolController()
