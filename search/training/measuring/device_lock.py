"""Who may use a device of this machine: many trainings at a time, or one measurement alone.

It is the operating system's lock on two files, for all processes of this user, so that a process that dies lets go of
it. A measurement that waits keeps further trainings from starting their next stretch, so its turn comes.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import torch

__all__ = ["device_alone", "device_shared"]

PERIOD = 0.02

Waiting = Callable[[], None]


def _patiently() -> None:
    """Do nothing while one waits."""


@contextmanager
def device_shared(device: torch.device, waiting: Waiting = _patiently) -> Iterator[None]:
    """Use a device beside others that train, not beside a measurement; `waiting` is called again and again until then.

    Others may hold it for as long as they train to their next rung.
    """
    turnstile, lock = _files(device)
    with ExitStack() as held:
        with _locked(turnstile, fcntl.LOCK_EX, waiting):
            held.enter_context(_locked(lock, fcntl.LOCK_SH, waiting))
        yield


@contextmanager
def device_alone(device: torch.device, waiting: Waiting = _patiently) -> Iterator[None]:
    """Use a device alone: wait until all others have ended their stretch, and let nobody in."""
    turnstile, lock = _files(device)
    with _locked(turnstile, fcntl.LOCK_EX, waiting), _locked(lock, fcntl.LOCK_EX, waiting):
        yield


def _files(device: torch.device) -> tuple[Path, Path]:
    """Return the two files to lock, the same in every process."""
    folder = Path(tempfile.gettempdir()) / f"fusion-nas-{os.getuid()}"
    folder.mkdir(parents=True, exist_ok=True)
    on_gpu = device.type == "cuda"
    name = f"cuda-{torch.cuda.get_device_properties(device).uuid}" if on_gpu else device.type
    return folder / f"{name}.turn.lock", folder / f"{name}.lock"


@contextmanager
def _locked(path: Path, kind: int, waiting: Waiting) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        while not _taken(descriptor, kind):
            waiting()
            time.sleep(PERIOD)
        yield
    finally:
        os.close(descriptor)


def _taken(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
