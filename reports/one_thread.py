"""Linear algebra on one thread: its matrices are small, and threads that wait for each other take more than they give.

Where trainings or other programs want the cores, a factorisation of 200 × 200 takes 16 times as long with two threads.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from threadpoolctl import ThreadpoolController

__all__ = ["one_thread"]


@contextmanager
def one_thread() -> Iterator[None]:
    """Hold the linear algebra of NumPy and SciPy to one thread; a function that is decorated by it, too."""
    with _libraries().limit(limits=1, user_api="blas"):
        yield


@cache
def _libraries() -> ThreadpoolController:
    import scipy.linalg  # noqa: F401 - whose library is its own, and is to be held as well

    return ThreadpoolController()
