"""Command line: `fusion-nas`.

Only typer is imported before a command runs; whatever is heavy is imported inside the commands.
"""

from __future__ import annotations

import gc
import signal
import sys
from importlib import import_module

__all__ = ["COMMANDS", "main"]

# Each is a module of this package. `--help` lists them in this order.
COMMANDS = (
    *("launch", "resume", "retrain", "status", "report", "solve", "replay", "export"),
    *("spaces", "ops", "runtimes", "doctor"),
)

# Imports make objects that stay: with Python's 700 a fifth of a command's start is spent on looking through them.
OBJECTS_A_COLLECTION = 20_000


def main() -> None:
    """Run the command that `sys.argv` names, and exit with its code."""
    from search.cli.app import app
    from search.cli.errors import run
    from search.run.signals import interrupt

    # Of both, what was begun is cleared away, and the exit code is 130.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
    gc.set_threshold(OBJECTS_A_COLLECTION)
    for command in COMMANDS:
        import_module(f"{__name__}.{command}")
    code = run(app, sys.argv[1:])
    # All is said: a further Ctrl-C, while Python ends, is not to change the exit code.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.exit(code)
