"""What Ray's processes of this user listen on, as the kernel says."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psutil

from search.cluster.ray_private import LIBRARY

__all__ = ["Listener", "ray_listeners", "token_source"]

_SERVERS = ("gcs_server", "raylet")
_TOKEN_FILE = Path(".ray", "auth_token")


class Listener(NamedTuple):
    """A TCP port on which a process waits for connections.

    Args:
        process: Name of the process.
        pid: Its id.
        host: The address it is bound to; `0.0.0.0` and `::` are all interfaces.
        port: The port.
    """

    process: str
    pid: int
    host: str
    port: int

    @property
    def exposed(self) -> bool:
        """Whether other machines can reach it."""
        address = ipaddress.ip_address(self.host)
        return not (getattr(address, "ipv4_mapped", None) or address).is_loopback


def ray_listeners() -> list[Listener]:
    """Return the ports on which Ray's processes of this user listen."""
    return sorted(found for process in psutil.process_iter() for found in _listeners(process))


def token_source() -> str | None:
    """Return where Ray will find the token of a cluster, or `None` where there is none.

    Ray looks at RAY_AUTH_TOKEN, then at RAY_AUTH_TOKEN_PATH, then at `~/.ray/auth_token`.
    """
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        if os.environ.get(name):
            return name
    return f"~/{_TOKEN_FILE}" if (Path.home() / _TOKEN_FILE).is_file() else None


def _listeners(process: psutil.Process) -> Iterator[Listener]:
    try:
        name = process.name()
        if name in _SERVERS or any(Path(mapped.path).name == LIBRARY for mapped in process.memory_maps()):
            for connection in process.net_connections("tcp"):
                if connection.status == psutil.CONN_LISTEN:
                    yield Listener(name, process.pid, *connection.laddr)
    except (psutil.Error, OSError):
        # Another user's, or one that ends while this looks.
        return
