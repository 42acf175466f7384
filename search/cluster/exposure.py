"""What Ray's processes of this user listen on, as the kernel tells it."""

from __future__ import annotations

import ipaddress
import os
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from search.cluster.ray_private import LIBRARY

__all__ = ["Listener", "ray_listeners", "token_source"]

_LISTEN = "0A"
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
        return not ipaddress.ip_address(self.host).is_loopback


def ray_listeners() -> list[Listener]:
    """Return the ports on which Ray's processes of this user listen; Linux only, empty elsewhere."""
    sockets = _listening_sockets()
    return sorted(
        Listener(name, pid, *sockets[inode])
        for pid, name in _ray_processes()
        for inode in _socket_inodes(pid)
        if inode in sockets
    )


def token_source() -> str | None:
    """Return where Ray will find the token of a cluster, or `None` where there is none.

    Ray looks at RAY_AUTH_TOKEN, then at RAY_AUTH_TOKEN_PATH, then at `~/.ray/auth_token`.
    """
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        if os.environ.get(name):
            return name
    return f"~/{_TOKEN_FILE}" if (Path.home() / _TOKEN_FILE).is_file() else None


def _listening_sockets() -> dict[str, tuple[str, int]]:
    """Return the address and port of every TCP socket that waits for connections, by its inode."""
    found = {}
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        lines = table.read_text(encoding="ascii").splitlines()[1:] if table.is_file() else []
        for fields in map(str.split, lines):
            host, _, port = fields[1].partition(":")
            if fields[3] == _LISTEN:
                found[fields[9]] = _host(host), int(port, 16)
    return found


def _host(digits: str) -> str:
    """Return an address from the kernel's notation: words of 32 bits in the machine's byte order.

    An IPv4 address that is written as an IPv6 one (`::ffff:127.0.0.1`) is returned as what it is.
    """
    words = [int(digits[start : start + 8], 16) for start in range(0, len(digits), 8)]
    address = ipaddress.ip_address(struct.pack(f"={len(words)}I", *words))
    return str(getattr(address, "ipv4_mapped", None) or address)


def _ray_processes() -> Iterator[tuple[int, str]]:
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            name = (folder / "comm").read_text(encoding="utf-8").strip()
            if name in _SERVERS or LIBRARY in (folder / "maps").read_text(encoding="utf-8", errors="replace"):
                yield int(folder.name), name
        except OSError:
            continue


def _socket_inodes(pid: int) -> Iterator[str]:
    # Files may be closed, and the process may end, while this reads.
    with suppress(OSError):
        for entry in os.scandir(f"/proc/{pid}/fd"):
            with suppress(OSError):
                target = os.readlink(entry.path)  # noqa: PTH115 - not a path
                if target.startswith("socket:["):
                    yield target[len("socket:[") : -1]
