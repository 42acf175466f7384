"""The program of the process that is copied; it is run by its path, not imported.

It imports what it is told to, and then waits for `start_worker.py`, which Ray runs in place of a worker: a copy of this
process takes over its arguments, environment, folder and output, and becomes the worker. Standard input has lines of
modules to import; it ends with the process that has started this one, and this one with it.
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
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

# As Ray has it for its workers: the kernel ends them rather than the driver where memory runs out.
OOM_SCORE = "1000"
# A copy still imports Ray: with Python's 700 half of that time is spent on looking through objects that stay.
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
    with socket.socket(fileno=number) as listener:
        asked = served(listener)
    if asked is None:
        shutil.rmtree(Path(address).parent, ignore_errors=True)
    else:
        become(*asked)


def served(listener: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """Return `None` once standard input has ended; in a copy, what its worker is to be."""
    orders, incoming = sys.stdin.fileno(), listener.fileno()
    lines = open(orders, "rb", buffering=0, closefd=False)  # noqa: SIM115 - as long as the process
    while True:
        ready, _, _ = select.select([orders, incoming], [], [])
        if orders in ready:
            line = lines.readline()
            if not line:
                return None
            # Imports make objects that stay.
            gc.disable()
            for name in json.loads(line):
                with suppress(ModuleNotFoundError):
                    import_module(name)
            gc.freeze()
            gc.enable()
        elif incoming in ready:
            connection, _ = listener.accept()
            with connection:
                asked = received(connection)
                if os.fork() == 0:
                    return asked
                connection.sendall(b"1")
            for number in asked[1]:
                os.close(number)


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
