"""What a run may use before it ends by itself: time, and the time of its devices."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

__all__ = ["Budget"]


class Budget:
    """Says when a run ends before all of its candidates are trained.

    Args:
        timeout: Seconds from `start`; `None` for no limit.
        device_hours: Hours of devices in training, those before a resume included; `None` for no limit.
        devices: Devices of one worker: its GPUs, or its CPU cores where it uses no GPU.
        trained: Returns the seconds in training of all candidates together.

    Attributes:
        devices: The same.
    """

    def __init__(
        self, *, timeout: float | None, device_hours: float | None, devices: float, trained: Callable[[], float]
    ) -> None:
        self._timeout = math.inf if timeout is None else timeout
        self._device_hours = math.inf if device_hours is None else device_hours
        self.devices = devices
        self._trained = trained
        self._deadline = math.inf

    def start(self) -> None:
        """Let the time of `timeout` begin."""
        self._deadline = time.monotonic() + self._timeout

    @property
    def device_hours(self) -> float:
        """Hours of devices in training so far."""
        return self._trained() * self.devices / 3600

    def used_up(self) -> str | None:
        """Return the config key of the limit that is reached, or `None`."""
        if time.monotonic() > self._deadline:
            return "search.timeout"
        return "limits.device_hours" if self.device_hours >= self._device_hours else None

    def seconds_left(self, workers: int) -> float:
        """Return the seconds until a limit is reached with so many workers in training; infinite without one."""
        device_seconds = (self._device_hours - self.device_hours) * 3600
        by_devices = device_seconds / (max(workers, 1) * self.devices) if self.devices > 0 else math.inf
        return max(min(self._deadline - time.monotonic(), by_devices), 0.0)
