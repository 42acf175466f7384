"""Who may use a device: many trainings at a time, or one measurement alone."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import torch

__all__ = ["DeviceLock", "own_lock"]


class DeviceLock:
    """A lock of one device of one machine, for all processes that train on it.

    It is the operating system's lock on two files, so that a process that dies lets go of it. A measurement
    that waits keeps further trainings from starting their next stretch, so its turn comes.

    Args:
        folder: A folder on this machine that all these processes share.
        device: Name of the device, for example `cpu` or `cuda:0`.
    """

    def __init__(self, folder: str | Path, device: str) -> None:
        name = device.replace(":", "-")
        self._device = Path(folder) / f"{name}.lock"
        self._turnstile = Path(folder) / f"{name}.turn.lock"
        Path(folder).mkdir(parents=True, exist_ok=True)

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Use the device beside others that train, not beside a measurement."""
        with ExitStack() as held:
            with _locked(self._turnstile, fcntl.LOCK_EX):
                held.enter_context(_locked(self._device, fcntl.LOCK_SH))
            yield

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Use the device alone: wait until all others have ended their stretch, and let nobody in."""
        with _locked(self._turnstile, fcntl.LOCK_EX), _locked(self._device, fcntl.LOCK_EX):
            yield


def own_lock(device: torch.device) -> DeviceLock:
    """Return the lock of a device that all of this user's processes on this machine share."""
    return DeviceLock(Path(tempfile.gettempdir()) / f"fusion-nas-{os.getuid()}", _device_name(device))


@contextmanager
def _locked(path: Path, kind: int) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, kind)
        yield
    finally:
        os.close(descriptor)


def _device_name(device: torch.device) -> str:
    """Return a name of the device that is the same in every process of this machine."""
    if device.type != "cuda":
        return device.type
    return f"cuda-{torch.cuda.get_device_properties(device).uuid}"
