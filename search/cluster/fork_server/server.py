"""The program of the process that is copied; it is run by its path, not imported.

It imports what it is told to, and then waits for `start_worker.py`, which Ray runs in place of a worker: a copy of this
process takes over its arguments, environment, folder and output, and becomes the worker. Standard input has the orders,
a line of JSON each; it ends with the process that has started this one, and this one with it. An order is

    {"modules": [...]}                              import these;
    {"modules": [...], "environment": {...}}        have a deputy import these in this environment;
    {"modules": []}                                 let the deputy go.

where `module:function` imports a module and calls its function.

Ray's library keeps the environment in which it was imported: the raylet that it watches, and the job. A deputy is a
copy that imports it for the workers of one raylet, and answers in place of this process until it is let go. Where that
import fails, it ends.
"""

from __future__ import annotations

import gc
import json
import os
import runpy
import select
import shutil
import signal
import socket
import sys
from collections.abc import Mapping
from importlib import import_module
from io import RawIOBase
from pathlib import Path
from typing import Any

# As Ray has it for its workers: the kernel ends them rather than the driver where memory runs out.
OOM_SCORE = "1000"
# What a raylet tells its workers, and Ray's library reads when it is imported.
OF_A_WORKER = ("RAY_JOB_ID", "RAY_RAYLET_PID")
# A copy may still import Ray: with Python's 700 half of that time is spent on looking through objects that stay.
OBJECTS_A_COLLECTION = 20_000


def main(address: str, number: int, path: list[str]) -> None:
    """Serve until standard input ends; a copy becomes a worker.

    Args:
        address: Path of the socket at which others wait, in a folder of its own, which goes with this process.
        number: The open file of that socket.
        path: Where modules are found, as in the process that has started this one.
    """
    sys.path[:] = path
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    server = os.getpid()
    with socket.socket(fileno=number) as listener, open(sys.stdin.fileno(), "rb", 0, closefd=False) as orders:
        asked = Server(listener, orders).served()
    if asked is not None:
        become(*asked)
    elif os.getpid() == server:
        shutil.rmtree(Path(address).parent, ignore_errors=True)


class Server:
    """What this process is, and every deputy of it.

    Args:
        listener: The socket at which others wait.
        orders: What there is to do; it ends where this process is to.
    """

    def __init__(self, listener: socket.socket, orders: RawIOBase) -> None:
        self.listener, self.orders = listener, orders
        self.deputy: socket.socket | None = None

    def served(self) -> tuple[dict[str, Any], list[int]] | None:
        """Return `None` once the orders have ended; in a copy, what its worker is to be."""
        while True:
            other = self.listener if self.deputy is None else self.deputy
            ready, _, _ = select.select([self.orders.fileno(), other.fileno()], [], [])
            if self.orders.fileno() in ready:
                line = self.orders.readline()
                if not line:
                    return None
                self.follow(**json.loads(line))
            elif self.deputy is not None:
                # It says nothing, so that it has ended.
                self.let_go()
            elif (asked := self.copied()) is not None:
                return asked

    def follow(self, modules: list[str], environment: dict[str, str] | None = None) -> None:
        """Do what an order says."""
        self.let_go()
        if environment is not None:
            mine, deputys = socket.socketpair()
            if os.fork():
                deputys.close()
                self.deputy = mine
                return
            mine.close()
            self.orders = deputys.makefile("rb", 0)
            deputys.close()
            os.environ.clear()
            os.environ.update(environment)
        # Imports make objects that stay.
        gc.disable()
        for name in modules:
            module, _, function = name.partition(":")
            try:
                found = import_module(module)
            except ModuleNotFoundError:
                continue
            if function:
                getattr(found, function)()
        gc.freeze()
        gc.enable()

    def let_go(self) -> None:
        """Let the deputy end, whose orders end."""
        if self.deputy is not None:
            self.deputy.close()
            self.deputy = None

    def copied(self) -> tuple[dict[str, Any], list[int]] | None:
        """Return what the next worker is to be in its copy, and `None` in this process."""
        connection, _ = self.listener.accept()
        with connection:
            asked = received(connection)
            fits = is_as_imported(asked[0]["environment"])
            if fits and os.fork() == 0:
                self.orders.close()
                return asked
            connection.sendall(b"1" if fits else b"0")
        for number in asked[1]:
            os.close(number)
        return None


def is_as_imported(environment: Mapping[str, str]) -> bool:
    """Return whether what Ray's library keeps is what the worker is given, where it is imported."""
    return "ray" not in sys.modules or all(environment.get(name) == os.environ.get(name) for name in OF_A_WORKER)


def received(connection: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """Return what is asked for, and the files for its output."""
    content, files, _, _ = socket.recv_fds(connection, 1 << 16, 2)
    while more := connection.recv(1 << 16):
        content += more
    return json.loads(content), files


def become(asked: Mapping[str, Any], output: list[int]) -> None:
    """Be the worker."""
    os.setpgid(0, 0)
    os.nice(asked["niceness"] - os.nice(0))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    Path("/proc/self/oom_score_adj").write_text(OOM_SCORE)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, name in ((nothing, 0), (output[0], 1), (output[1], 2)):
        os.dup2(number, name)
        os.close(number)
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    gc.set_threshold(OBJECTS_A_COLLECTION)
    # Python seeds its own generator anew in a copy.
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()
    sys.argv[:] = asked["arguments"]
    sys.path.insert(0, str(Path(sys.argv[0]).parent))
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3]))
