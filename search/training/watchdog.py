"""Ends a worker whose training makes no progress, so that its slot is not held for ever."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import NoReturn

from search.training.files import VERDICT, CandidateFiles

__all__ = ["Watchdog", "end_worker", "leave_verdict", "verdict"]

PERIOD = 0.5
EXIT_CODE = 75
LAST_WORDS_SECONDS = 10.0


class Watchdog:
    """Watches one training at a time from a thread of its own.

    A hung computation cannot be interrupted from within, so the process ends; before, it leaves a verdict with the
    candidate's files, where the next worker and the driver find it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tell: Callable[[str], None] | None = None
        self._thread: threading.Thread | None = None
        self._stall = self._limit = float("inf")
        self._beat = self._started = 0.0

    def watch(
        self,
        tell: Callable[[str], None],
        *,
        stall_seconds: float | None,
        trial_seconds: float | None,
        spent: float,
    ) -> None:
        """Begin to watch a training.

        Args:
            tell: Called with the reason before the process ends.
            stall_seconds: Longest time between two calls of `beat`.
            trial_seconds: Longest training.
            spent: Seconds that it has been in training before.
        """
        with self._lock:
            self._tell = tell
            self._stall = float("inf") if stall_seconds is None else stall_seconds
            self._limit = float("inf") if trial_seconds is None else trial_seconds
            self._beat = time.monotonic()
            self._started = self._beat - spent
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)
            self._thread.start()

    def beat(self) -> None:
        """Say that the training makes progress."""
        self._beat = time.monotonic()

    def rest(self) -> None:
        """Stop watching until the next `watch`."""
        with self._lock:
            self._tell = None

    def _run(self) -> None:
        while True:
            time.sleep(PERIOD)
            with self._lock:
                tell, reason = self._tell, self._overdue()
                if tell is not None and reason is not None:
                    end_worker(tell, reason)

    def _overdue(self) -> str | None:
        now = time.monotonic()
        if now - self._beat > self._stall:
            return f"timeout: no progress for {self._stall:g} s"
        if now - self._started > self._limit:
            return f"timeout: not done after {self._limit:g} s"
        return None


def end_worker(tell: Callable[[str], None], reason: str) -> NoReturn:
    """End this process, its reason told before; ten seconds at most are waited for that."""
    deadline = threading.Timer(LAST_WORDS_SECONDS, os._exit, (EXIT_CODE,))
    deadline.daemon = True
    deadline.start()
    try:
        tell(reason)
    finally:
        os._exit(EXIT_CODE)


def leave_verdict(files: CandidateFiles, candidate_id: str, reason: str) -> None:
    """Write down why a candidate's worker ends, for who would start it again."""
    files.write(candidate_id, VERDICT, reason.encode())


def verdict(files: CandidateFiles, candidate_id: str) -> str | None:
    """Return why a candidate's worker ended itself, or `None` if it did not; say it once."""
    reason = files.read(candidate_id, VERDICT)
    if reason is None:
        return None
    files.remove(candidate_id, VERDICT)
    return reason.decode()
