"""Who may use a device of this machine: many trainings at a time, or one measurement alone.

It is the operating system's lock on two files, for all processes of this user, so that a process that dies lets go of
it. A measurement that waits keeps further trainings from starting their next stretch, so its turn comes.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import torch

__all__ = ["device_alone", "device_shared"]


@contextmanager
def device_shared(device: torch.device) -> Iterator[None]:
    """Use a device beside others that train, not beside a measurement."""
    turnstile, lock = _files(device)
    with ExitStack() as held:
        with _locked(turnstile, fcntl.LOCK_EX):
            held.enter_context(_locked(lock, fcntl.LOCK_SH))
        yield


@contextmanager
def device_alone(device: torch.device) -> Iterator[None]:
    """Use a device alone: wait until all others have ended their stretch, and let nobody in."""
    turnstile, lock = _files(device)
    with _locked(turnstile, fcntl.LOCK_EX), _locked(lock, fcntl.LOCK_EX):
        yield


def _files(device: torch.device) -> tuple[Path, Path]:
    """Return the two files to lock, the same in every process."""
    folder = Path(tempfile.gettempdir()) / f"fusion-nas-{os.getuid()}"
    folder.mkdir(parents=True, exist_ok=True)
    on_gpu = device.type == "cuda"
    name = f"cuda-{torch.cuda.get_device_properties(device).uuid}" if on_gpu else device.type
    return folder / f"{name}.turn.lock", folder / f"{name}.lock"


@contextmanager
def _locked(path: Path, kind: int) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, kind)
        yield
    finally:
        os.close(descriptor)
