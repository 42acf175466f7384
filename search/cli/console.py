"""Tables and text on stdout, as wide as the terminal; wide in files and pipes."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

__all__ = ["print_json", "print_lines", "print_table", "print_text"]

WIDTH_OF_A_FILE = 140
WIDTH_OF_A_HEAD = 12


def print_json(value: Any) -> None:
    """Print a value as JSON."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def print_table(words: Sequence[str], numbers: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows under headings: first the columns of words, then those of numbers, which are never broken."""
    table = Table(box=None, pad_edge=False)
    for heading in words:
        table.add_column(heading, overflow="fold")
    for heading in numbers:
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    _console().print(table)


def print_lines(head: str, lines: Iterable[str]) -> None:
    """Print lines after a word, one below the other, broken at the width of the terminal."""
    table = Table.grid()
    table.add_column(width=WIDTH_OF_A_HEAD)
    for first, line in zip_longest((head,), lines, fillvalue=""):
        table.add_row(first, line)
    _console().print(table)


def print_text(text: str) -> None:
    """Print text, broken at the width of the terminal."""
    _console().print(text)


def _console() -> Console:
    return Console(width=None if sys.stdout.isatty() else WIDTH_OF_A_FILE, markup=False, highlight=False)
