"""Files written whole, and disks that cannot be written: full, read-only, or not ours."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fusion_ops.errors import RunError

__all__ = ["causes", "disk_error", "trouble", "unwritable_told", "write_whole"]

FULL = (errno.ENOSPC, errno.EDQUOT)
REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO, errno.ESTALE)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, and see to it that it is on the disk.

    Raises:
        OSError: It cannot be written; `filename` says which.
    """
    temporary = path.with_name(f"{path.name}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(path)) from None


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error, then what each was raised from, or while handling."""
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__ or link.__context__


def disk_error(error: BaseException) -> OSError | None:
    """Return the error of a disk that cannot be written among the causes of `error`, or `None`."""
    links = (link for link in causes(error) if isinstance(link, OSError))
    return next((link for link in links if link.errno in (*FULL, *REFUSED)), None)


def trouble(error: OSError, path: Path | None = None) -> str:
    """Return what is wrong with a disk, which path (`path` where the error names none), and what helps."""
    where = error.filename or path
    if error.errno in FULL:
        return f"no space left on the disk of {where}; make room"
    return f"{where} cannot be written: {error.strerror}; put that right"


@contextmanager
def unwritable_told(path: Path, then: str) -> Iterator[None]:
    """Turn the error of a disk that cannot be written, however it is wrapped, into a `RunError` of one line.

    It ends with what to do `then`, after that is put right.
    """
    try:
        yield
    except Exception as error:
        cause = None if isinstance(error, RunError) else disk_error(error)
        if cause is None:
            raise
        raise RunError(f"{trouble(cause, path)}, then {then}.") from error
