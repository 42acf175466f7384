"""Ends a worker whose training makes no progress, so that its slot is not held for ever."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

__all__ = ["Watchdog", "verdict"]

MARK = "timeout.txt"
PERIOD = 0.5
EXIT_CODE = 75


class Watchdog:
    """Watches one training at a time from a thread of its own.

    A hung computation cannot be interrupted from within, so the process ends; what it was told goes into
    a file in the candidate's folder, where the next worker and the driver find it (`verdict`).
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._folder: Path | None = None
        self._thread: threading.Thread | None = None
        self._stall = self._limit = float("inf")
        self._beat = self._started = 0.0

    def watch(self, folder: Path, *, stall_seconds: float | None, trial_seconds: float | None, spent: float) -> None:
        """Begin to watch a training.

        Args:
            folder: The candidate's folder.
            stall_seconds: Longest time between two calls of `beat`.
            trial_seconds: Longest training.
            spent: Seconds that it has been in training before.
        """
        with self._lock:
            self._folder = folder
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
            self._folder = None

    def _run(self) -> None:
        while True:
            time.sleep(PERIOD)
            with self._lock:
                folder, reason = self._folder, self._overdue()
                if folder is None or reason is None:
                    continue
                folder.mkdir(parents=True, exist_ok=True)
                (folder / MARK).write_text(reason, encoding="utf-8")
                os._exit(EXIT_CODE)

    def _overdue(self) -> str | None:
        now = time.monotonic()
        if now - self._beat > self._stall:
            return f"timeout: no progress for {self._stall:g} s"
        if now - self._started > self._limit:
            return f"timeout: not done after {self._limit:g} s"
        return None


def verdict(folder: Path) -> str | None:
    """Return why the watchdog ended the training of a candidate, or `None` if it did not; say it once."""
    try:
        reason = (folder / MARK).read_text(encoding="utf-8")
        (folder / MARK).unlink()
    except FileNotFoundError:
        return None
    return reason
