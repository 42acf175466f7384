"""Private folders for a while, those of processes that were killed removed."""

from __future__ import annotations

import fcntl
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["scratch_folder"]

PREFIX, MARK = "fnas-", "in_use"
YOUNG_SECONDS = 60.0


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Yield a new folder that only this user can read, and remove it at the end.

    A process that is killed leaves its folder behind, and with it a lock that nobody holds: such ones go first.
    """
    _remove_abandoned(Path(tempfile.gettempdir()))
    with tempfile.TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True) as name:
        folder = Path(name)
        with (folder / MARK).open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            yield folder


def _remove_abandoned(parent: Path) -> None:
    for mark in parent.glob(f"{PREFIX}*/{MARK}"):
        if _is_abandoned(mark):
            shutil.rmtree(mark.parent, ignore_errors=True)


def _is_abandoned(mark: Path) -> bool:
    try:
        # Between its making and its lock a folder looks abandoned.
        if time.time() - mark.stat().st_mtime < YOUNG_SECONDS:
            return False
        with mark.open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
