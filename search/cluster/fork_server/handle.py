"""The fork server of this process, started at most once."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import IO, Any, cast

__all__ = ["START_WORKER", "ForkServer", "end_fork_server", "fork_server"]

SERVER, START_WORKER = (str(Path(__file__).parent / name) for name in ("server.py", "start_worker.py"))
PREFIX, BACKLOG = "fnas-fork-", 128
# What each worker needs, whatever it trains: PyTorch imports the last two with the first optimiser and the first step.
MODULES = (
    "search.training.resumable",
    "search.training.supernet.training",
    "search.training.measuring.costs",
    "search.training.measuring.int8",
    "pandas",
    "torch._dynamo",
    "torch.profiler",
)
# What Ray's own import takes with it from elsewhere, two fifths of its time. Ray itself comes with the raylet.
OF_RAY = (
    *("attr", "certifi", "filelock", "fsspec", "google.protobuf.message", "google.protobuf.json_format", "jsonschema"),
    *("msgpack", "packaging.version", "psutil", "pyarrow.fs", "requests", "rich.console", "rich.live", "rich.table"),
    *("tqdm.auto", "wcwidth", "yaml"),
)
# What workers of a raylet need beside.
WITH_RAY = "search.cluster.fork_server.ray_ahead:import_for_workers"
# The job of whoever first connects to a Ray that has just been started.
FIRST_JOB = "01000000"


class ForkServer:
    """A process that imports what workers need while this one goes on, and of which they are copies.

    It ends with this process, however that ends, and serves all runs until then.
    """

    def __init__(self) -> None:
        self.address = str(Path(tempfile.mkdtemp(prefix=PREFIX)) / "socket")
        # Whoever comes before the process is there waits for it.
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(self.address)
            listener.listen(BACKLOG)
            self.process = subprocess.Popen(
                [sys.executable, SERVER, self.address, str(listener.fileno()), json.dumps(sys.path)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                # As Ray has it for workers of one core before they import anything; they take their own number later.
                env={"OMP_NUM_THREADS": "1"} | os.environ,
                pass_fds=(listener.fileno(),),
                # Ctrl-C in a terminal is for the driver.
                process_group=0,
            )
        self._orders = cast("IO[bytes]", self.process.stdin)
        self.have_imported(MODULES + OF_RAY)
        atexit.register(self.end)

    def have_imported(self, modules: Iterable[str]) -> None:
        """Have further modules imported; one that has been stays, one that is not there is left out."""
        self._order(modules=list(modules))

    def have_imported_ray(self, raylet: int) -> None:
        """Have Ray imported for the workers of a raylet that has just been started in this process's environment.

        Args:
            raylet: Its process id.
        """
        known = {"RAY_RAYLET_PID": str(raylet), "RAY_JOB_ID": FIRST_JOB}
        self._order(modules=[WITH_RAY], environment={**os.environ, **known})

    def forget_ray(self) -> None:
        """Let go of what was imported for a raylet, which has ended."""
        self._order(modules=[])

    def _order(self, **order: Any) -> None:
        # Where it has ended, Ray starts workers by itself.
        with suppress(BrokenPipeError):
            self._orders.write(json.dumps(order).encode() + b"\n")
            self._orders.flush()

    def end(self) -> None:
        """End it at once; by itself it would first import the rest."""
        atexit.unregister(self.end)
        self.process.kill()
        self.process.wait()
        self._orders.close()
        shutil.rmtree(Path(self.address).parent, ignore_errors=True)


@cache
def fork_server() -> ForkServer | None:
    """Return this process's fork server, which is started by the first call; `None` where there is none.

    Libraries of other systems than Linux do not bear that a process is copied, and a temporary folder is needed.
    """
    with suppress(OSError):
        return ForkServer() if sys.platform == "linux" else None
    return None


def end_fork_server() -> None:
    """End this process's fork server where it has one; the next call of `fork_server` starts another one."""
    if fork_server.cache_info().currsize:
        server = fork_server()
        fork_server.cache_clear()
        if server is not None:
            server.end()
