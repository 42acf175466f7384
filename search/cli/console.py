"""Tables on stdout."""

from __future__ import annotations

import sys

from rich.console import Console

__all__ = ["stdout_console"]

WIDTH_OF_A_FILE = 140


def stdout_console() -> Console:
    """Return a console that writes tables to stdout: as wide as the terminal, wide in files and pipes."""
    return Console(width=None if sys.stdout.isatty() else WIDTH_OF_A_FILE)
