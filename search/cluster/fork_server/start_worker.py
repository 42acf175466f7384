"""What Ray runs to start a worker, in place of its own program; it is run by its path, not imported.

It has a copy of the fork server become the worker, and leaves. Where the server has gone, or the worker is to have an
environment of its own, Ray's own program starts it.
"""

from __future__ import annotations

import json
import os
import runpy
import socket
import sys
from pathlib import Path

ADDRESS = "FUSION_NAS_FORK_SERVER"
CONTEXT, LANGUAGE = "--serialized-runtime-env-context=", "--language="


def main(arguments: list[str]) -> None:
    """Start the worker that Ray has named."""
    context = [argument.removeprefix(CONTEXT) for argument in arguments if argument.startswith(CONTEXT)]
    if not any(json.loads(one).get(key) for one in context for key in ("command_prefix", "override_worker_entrypoint")):
        own = [argument for argument in arguments if not argument.startswith((CONTEXT, LANGUAGE))]
        changed = {name: value for one in context for name, value in json.loads(one).get("env_vars", {}).items()}
        if copied(own, {**os.environ, **changed}):
            return
    runpy.run_module("ray._private.workers.setup_worker", run_name="__main__")


def copied(arguments: list[str], environment: dict[str, str]) -> bool:
    """Return whether the fork server has started a worker with these arguments and this environment."""
    asked = {"arguments": arguments, "environment": environment, "folder": str(Path.cwd()), "niceness": os.nice(0)}
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(os.environ[ADDRESS])
            content = memoryview(json.dumps(asked).encode())
            sent = socket.send_fds(connection, [content], [sys.stdout.fileno(), sys.stderr.fileno()])
            connection.sendall(content[sent:])
            connection.shutdown(socket.SHUT_WR)
            return connection.recv(1) == b"1"
    except OSError as error:
        print(f"no copy of the fork server: {error}", file=sys.stderr)
        return False


if __name__ == "__main__":
    main(sys.argv[1:])
