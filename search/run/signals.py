"""Signals that end a run: the first one gently, the second one at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["Interrupted", "Signals", "interrupt"]


class Interrupted(KeyboardInterrupt):
    """A signal ended what was done.

    Where a plain `KeyboardInterrupt` passes a string that `exec` runs, as in the definition of a dataclass, a script
    that comes to its end is ended by the signal itself then, though the exception was handled.
    """


def interrupt(number: int, frame: FrameType | None) -> None:
    """Handle a signal by ending what is done."""
    raise Interrupted


class Signals:
    """SIGINT and SIGTERM during a run.

    The first one sets `received`, which the run asks for between its steps. The second one raises `Interrupted`
    wherever the main thread is.
    """

    def __init__(self) -> None:
        self.received = False

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

    def _handle(self, number: int, frame: FrameType | None) -> None:
        again, self.received = self.received, True
        if again:
            interrupt(number, frame)
