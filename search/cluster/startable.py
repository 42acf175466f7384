"""What keeps Ray from starting on this machine, found before anything is started or written."""

from __future__ import annotations

import os
import resource
import shutil
import sys
import tempfile
from pathlib import Path

from fusion_ops.errors import RunError
from search.cluster.scratch import PREFIX

__all__ = ["require_no_ray", "require_startable"]

# The longest path of a socket that the kernel takes, and the longest one in Ray's folder.
SOCKET_BYTES = 107
LONGEST_SOCKET = "session_2026-01-01_00-00-00_000000_{pid}/sockets/plasma_store"
# Ray writes logs from its start on, and hangs where it cannot.
FREE_BYTES = 10_000_000
OPEN_FILES, OPEN_FILES_PER_CPU = 64, 16


def require_no_ray() -> None:
    """Raise `RunError` if this process uses Ray: a search would end it together with its own."""
    ray = sys.modules.get("ray")
    if ray is not None and ray.is_initialized():
        raise RunError(
            "a search starts and ends Ray for itself; got a process that uses Ray already. "
            "Call `ray.shutdown()` first, or search in another process."
        )


def require_startable(cpus: int) -> None:
    """Check that a private Ray with so many CPU cores can start here.

    Raises:
        RunError: The folder for temporary files has too long a path or no room, or too few files may be open.
    """
    try:
        folder = tempfile.gettempdir()
    except FileNotFoundError:
        raise RunError("Ray needs a folder for temporary files; got none that can be written. Set TMPDIR.") from None
    _require_short(folder)
    if (free := shutil.disk_usage(folder).free) < FREE_BYTES:
        raise RunError(
            f"Ray needs {FREE_BYTES / 1e6:.0f} MB in the folder for temporary files; got {free / 1e6:.1f} MB in "
            f"{folder}. Make room, or set TMPDIR to another folder."
        )
    needed, allowed = OPEN_FILES + OPEN_FILES_PER_CPU * cpus, resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if 0 <= allowed < needed:
        raise RunError(f"Ray needs {needed} open files at a time; got {allowed}. Raise the limit: ulimit -n {needed}.")


def _require_short(folder: str) -> None:
    below = Path(f"{PREFIX}12345678", LONGEST_SOCKET.format(pid=os.getpid()))
    room, length = SOCKET_BYTES - len(os.fsencode(below)) - 1, len(os.fsencode(folder))
    if length > room:
        raise RunError(
            f"the path of the folder for temporary files may have {room} bytes, as Ray keeps its sockets there; "
            f"got {length}: {folder}. Set TMPDIR to a shorter path, such as /tmp."
        )
