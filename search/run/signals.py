"""Signals that end a run: the first one gently, the second one at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

__all__ = ["Signals"]


class _Abandoned(KeyboardInterrupt):
    """Ends what a run does in a block of `abandoned`; no `except Exception` on the way stops it."""


class Signals:
    """SIGINT and SIGTERM during a run.

    The first one sets `received`, which the run asks for between its steps. The second one raises
    `KeyboardInterrupt` wherever the main thread is.
    """

    def __init__(self) -> None:
        self.received = False
        self._abandons = False

    @contextmanager
    def heeded(self) -> Iterator[None]:
        """Handle the signals for the time of the block; in another thread than the main one nothing is done."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._handle) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def abandoned(self) -> Iterator[None]:
        """End the block at the first signal: what it does takes long, and nothing is lost by it."""
        with suppress(_Abandoned):
            self._abandons = True
            try:
                yield
            finally:
                self._abandons = False

    def _handle(self, number: int, frame: FrameType | None) -> None:
        again, self.received = self.received, True
        if again:
            raise KeyboardInterrupt
        if self._abandons:
            raise _Abandoned
