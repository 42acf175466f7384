"""Ends a worker whose training makes no progress, so that its slot is not held for ever."""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from torch import nn

from search.training.files import VERDICT, CandidateFiles, Identified
from search.training.settings import LimitsConfig

__all__ = ["Beating", "Pulse", "Watchdog", "end_worker", "remove_pulses", "take_verdict"]

PERIOD = 0.5
# Calls of `wait` further apart belong to two waits.
WAITS = 1.0
EXIT_CODE = 75
LAST_WORDS_SECONDS = 10.0


class Watchdog:
    """Watches one training at a time from a thread of its own.

    A hung computation cannot be interrupted from within, so the process ends; before, it leaves a verdict with the
    candidate's files, where the next worker and the driver find it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._watched: tuple[CandidateFiles, Identified] | None = None
        self._limits = LimitsConfig()
        self._beat = self._started = 0.0
        self._waited = -math.inf
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)

    @contextmanager
    def watch(
        self, files: CandidateFiles, candidate: Identified, limits: LimitsConfig, *, spent: float
    ) -> Iterator[None]:
        """End this process if what is done within makes no progress, or takes a training past its time.

        That is `stall_seconds` between two calls of `beat`, and `trial_seconds` with the seconds that were `spent`
        before.
        """
        with self._lock:
            self._watched, self._limits = (files, candidate), limits
            self._beat = time.monotonic()
            self._started = self._beat - spent
        if not self._thread.is_alive():
            self._thread.start()
        try:
            yield
        finally:
            with self._lock:
                self._watched = None

    def beat(self) -> None:
        """Note that the training makes progress."""
        self._beat = time.monotonic()

    def wait(self) -> None:
        """Note that the training waits for its device, again and again: that is no stall, and no part of its time."""
        now = time.monotonic()
        if now - self._waited < WAITS:
            self._started += now - self._waited
        self._waited = self._beat = now

    def _run(self) -> None:
        while True:
            time.sleep(PERIOD)
            with self._lock:
                reason = self._overdue()
                if self._watched is not None and reason is not None:
                    end_worker(*self._watched, reason)

    def _overdue(self) -> str | None:
        now, stall, longest = time.monotonic(), self._limits.stall_seconds, self._limits.trial_seconds
        if stall is not None and now - self._beat > stall:
            return f"timeout: no progress for {stall:g} s"
        if longest is not None and now - self._started > longest:
            return f"timeout: not done after {longest:g} s"
        return None


class Beating:
    """A user-defined function each call of which is progress: a slow one is no stall, one that hangs is.

    Args:
        function: The function; its attributes are this one's, too.
        beat: Called before and after each call.
    """

    def __init__(self, function: Callable[..., Any], beat: Callable[[], None]) -> None:
        self._function, self._beat = function, beat

    def __call__(self, *arguments: Any) -> Any:
        """Call the function."""
        self._beat()
        returned = self._function(*arguments)
        self._beat()
        return returned

    def __getattr__(self, name: str) -> Any:
        if name in ("_function", "_beat"):  # of a copy that has none yet
            raise AttributeError(name)
        found = getattr(self._function, name)
        return Beating(found, self._beat) if callable(found) else found


class Pulse:
    """A hook of a network in training, by which each of its passes is progress; its copies are the hook itself.

    Args:
        beat: Called at each pass.
    """

    def __init__(self, beat: Callable[[], None]) -> None:
        self._beat = beat

    def __call__(self, *_: Any) -> None:
        """Note a pass."""
        self._beat()

    def __deepcopy__(self, memo: object) -> Pulse:
        return self


def remove_pulses(network: nn.Module) -> None:
    """Take the pulse of its training from a network; its other hooks are part of it."""
    for key in [key for key, hook in network._forward_pre_hooks.items() if isinstance(hook, Pulse)]:
        del network._forward_pre_hooks[key]


def end_worker(files: CandidateFiles, candidate: Identified, reason: str) -> NoReturn:
    """End this process once the reason is left for who would start the candidate again, or after ten seconds."""
    deadline = threading.Timer(LAST_WORDS_SECONDS, os._exit, (EXIT_CODE,))
    deadline.daemon = True
    deadline.start()
    try:
        files.write(candidate, VERDICT, reason.encode())
    finally:
        os._exit(EXIT_CODE)


def take_verdict(files: CandidateFiles, candidate: Identified) -> str | None:
    """Return why a candidate's worker ended itself, or `None` if it did not, and remove that."""
    reason = files.read(candidate, VERDICT)
    if reason is None:
        return None
    files.remove(candidate, VERDICT)
    return reason.decode()
