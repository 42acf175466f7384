"""Whether Ray can be started here, or a running cluster be joined: found before anything is started or written."""

from __future__ import annotations

import os
import re
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from fusion_ops.errors import ConfigError, RunError
from reports.scratch import PREFIX
from search.cluster.exposure import token_source
from search.cluster.ray_private import PROBE

__all__ = ["require_cluster", "require_no_ray", "require_startable"]

# The longest path of a socket that the kernel takes, and the longest one in Ray's folder.
SOCKET_BYTES = 107
LONGEST_SOCKET = "session_2026-01-01_00-00-00_000000_{pid}/sockets/plasma_store"
# Ray writes logs from its start on, and hangs where it cannot.
FREE_BYTES = 10_000_000
OPEN_FILES, OPEN_FILES_PER_CPU = 64, 16
CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 20.0
_ADDRESS = re.compile(r"(\[[0-9a-fA-F:]+\]|[\w.-]+):(\d{1,5})")
_REFUSED = "InvalidAuthToken"


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


def require_cluster(address: str) -> None:
    """Check that a Ray cluster answers at `address`, wants a token, and takes the one that there is.

    Args:
        address: `HOST:PORT` of the head node.

    Raises:
        ConfigError: The address has another form, or there is no token.
        RunError: Nothing answers, the cluster lets anybody in, or it refuses the token.
    """
    match = _ADDRESS.fullmatch(address)
    if match is None:
        raise ConfigError(
            f"`ray.address` must be HOST:PORT of the cluster's head node, as `ray start` prints it; got `{address}`. "
            "Start fusion-nas on a node of the cluster."
        )
    if token_source() is None:
        raise ConfigError(
            "`ray.address` needs token authentication: set RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH to the "
            "cluster's token, or put it into ~/.ray/auth_token."
        )
    _connect(match[1].strip("[]"), int(match[2]), address)
    if _refusal(address, "disabled") is None:
        raise RunError(
            f"the Ray cluster at {address} lets in anybody who reaches it; start its nodes with "
            "RAY_AUTH_MODE=token and a token."
        )
    if (refusal := _refusal(address, "token")) is not None:
        fix = "the token is not the cluster's" if _REFUSED in refusal else refusal
        raise RunError(f"the Ray cluster at {address} cannot be used: {fix} (token from {token_source()}).")


def _require_short(folder: str) -> None:
    below = Path(f"{PREFIX}12345678", LONGEST_SOCKET.format(pid=os.getpid()))
    room, length = SOCKET_BYTES - len(os.fsencode(below)) - 1, len(os.fsencode(folder))
    if length > room:
        raise RunError(
            f"the path of the folder for temporary files may have {room} bytes, as Ray keeps its sockets there; "
            f"got {length}: {folder}. Set TMPDIR to a shorter path, such as /tmp."
        )


def _connect(host: str, port: int, address: str) -> None:
    try:
        socket.create_connection((host, port), CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise RunError(f"no Ray cluster answers at {address}: {reason}; check `ray.address` and firewalls.") from None


def _refusal(address: str, mode: str) -> str | None:
    """Return why the head node refuses a client of that authentication mode, or `None` if it does not.

    Asked in a process of its own: Ray ends the process that waits in vain, and reads the mode only once.
    """
    settings = os.environ | {"RAY_AUTH_MODE": mode, "RAY_USAGE_STATS_ENABLED": "0"}
    command = [sys.executable, "-c", PROBE, address]
    try:
        asked = subprocess.run(
            command, capture_output=True, text=True, env=settings, timeout=ANSWER_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise RunError(f"what listens at {address} does not answer as a Ray cluster; check `ray.address`.") from None
    if asked.returncode == 0:
        return None
    last = (asked.stderr.strip().splitlines() or ["no reason given"])[-1][:200]
    if _REFUSED not in asked.stderr and mode == "disabled":
        raise RunError(f"the Ray cluster at {address} cannot be used: {last}.")
    return _REFUSED if _REFUSED in asked.stderr else last
