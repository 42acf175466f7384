"""Ray clusters on this machine, each node with a loopback address of its own."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

TOKEN = "0123456789abcdef" * 4
_NUMBERS = itertools.count()


class Cluster:
    """Nodes of a Ray cluster on this machine, each with a loopback address of its own.

    Args:
        family: Returns a process and all its descendants.
        token: The token that the nodes ask for; `None` for a cluster that lets anybody in.
        job_server: Whether the head node has Ray's job server, at `self.server`.
        cpus: CPU cores of the head node; the others have one each.
    """

    def __init__(
        self, family: Callable[[int], set[int]], token: str | None = TOKEN, *, job_server: bool = False, cpus: int = 0
    ) -> None:
        self.family = family
        self.folder = Path(tempfile.mkdtemp(prefix="fnas-c-"))
        # Some of Ray's ports are the same on every node: clusters side by side need addresses of their own.
        self.network = f"127.{1 + os.getpid() % 250}.{next(_NUMBERS)}"
        self.head = f"{self.network}.2"
        with socket.create_server((self.head, 0)) as free, socket.create_server((self.head, 0)) as other:
            self.address = f"{self.head}:{free.getsockname()[1]}"
            self.server = f"http://{self.head}:{other.getsockname()[1]}"
        mode = {"RAY_AUTH_MODE": "disabled"} if token is None else {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token}
        activated = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        plain = {"RAY_USAGE_STATS_ENABLED": "0", "PYTHONPATH": "", "PATH": activated}
        self.environment = os.environ | mode | plain
        port = self.address.rpartition(":")[2]
        head = ("--head", "--port", port, "--temp-dir", self.folder, "--include-dashboard", str(job_server).lower())
        web = ("--dashboard-host", self.head, "--dashboard-port", self.server.rpartition(":")[2])
        self.nodes = [self._start(*head, *web, ip=self.head, cpus=cpus)]
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection((self.head, int(port)), 1).close()
                return
            except OSError:
                assert time.monotonic() < deadline
                time.sleep(0.1)

    def join(self, hidden: list[Path]) -> int:
        """Start a further node, which sees empty folders in place of the hidden ones; return its process id."""
        # Every node unpacks the code that it is sent, in place of what is there: workers of another node that run in
        # that folder would have none. The head node has made it.
        (unpacked,) = self.folder.glob("session_2*/runtime_resources")
        mounts = "".join(f"mount -t tmpfs none '{folder}' && " for folder in (*hidden, unpacked))
        rootless = () if os.getuid() == 0 else ("--map-root-user",)
        isolated = ("unshare", "--mount", *rootless, "sh", "-c", f'{mounts}exec "$@"', "sh")
        ip = f"{self.network}.{2 + len(self.nodes)}"
        self.nodes.append(self._start("--address", self.address, ip=ip, cpus=1, before=isolated))
        log, deadline = self.folder / f"{ip}.log", time.monotonic() + 60
        # Two nodes of one machine that start at once take each other's sockets.
        while "--block" not in log.read_text():
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        return self.nodes[-1].pid

    def kill(self, pid: int) -> None:
        """Kill all processes of a node at once, as a machine that loses its power does."""
        for member in self.family(pid):
            try:
                os.kill(member, signal.SIGKILL)
            except ProcessLookupError:
                continue

    def remove(self) -> None:
        for node in self.nodes:
            self.kill(node.pid)
            node.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _start(self, *options: object, ip: str, cpus: int, before: tuple[str, ...] = ()) -> subprocess.Popen[bytes]:
        ray = Path(sys.executable).with_name("ray")
        # Of Ray's fixed ports this one is taken on 127.0.0.1 too, once a machine.
        with socket.create_server(("127.0.0.1", 0)) as free:
            agent = ("--dashboard-agent-listen-port", free.getsockname()[1])
        fixed = ("--block", "--num-cpus", cpus, "--node-ip-address", ip, "--object-store-memory", "100000000", *agent)
        command = [*before, ray, "start", *options, *fixed, "--include-log-monitor", "false"]
        with (self.folder / f"{ip}.log").open("wb") as log:
            return subprocess.Popen(
                list(map(str, command)), stdout=log, stderr=subprocess.STDOUT, env=self.environment, cwd="/"
            )
