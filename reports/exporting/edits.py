"""Changing a piece of source in places, and leaving the rest of it as its author wrote it."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

__all__ = ["Edit", "edited", "removing", "replacing"]

Located = ast.expr | ast.stmt


@dataclass(frozen=True, slots=True, order=True)
class Edit:
    """A replacement of what is between two places of a module.

    Args:
        line: First line, from 1.
        column: Where it starts in that line, in bytes.
        end_line: Last line.
        end_column: Where it ends in that line, in bytes.
        text: What stands there instead.
    """

    line: int
    column: int
    end_line: int
    end_column: int
    text: str = ""


def replacing(node: Located, text: str) -> Edit:
    """Return the edit that writes `text` in place of a node."""
    return Edit(node.lineno, node.col_offset, node.end_lineno or node.lineno, node.end_col_offset or 0, text)


def removing(line: int, last: Located) -> Edit:
    """Return the edit that removes whole lines, from `line` to the last one of a node."""
    return Edit(line, 0, (last.end_lineno or last.lineno) + 1, 0)


def edited(lines: Sequence[bytes], first: int, last: int, edits: Iterable[Edit]) -> str:
    """Return the lines `first` to `last` of a module with some edits, none of which overlap.

    Args:
        lines: The module, in UTF-8.
        first: First line, from 1.
        last: Last line, included.
        edits: What to change; each within these lines.
    """
    starts = [0]
    for line in lines[first - 1 : last]:
        starts.append(starts[-1] + len(line))
    text = b"".join(lines[first - 1 : last])
    for edit in sorted(edits, reverse=True):
        start = starts[edit.line - first] + edit.column
        end = starts[edit.end_line - first] + edit.end_column
        text = text[:start] + edit.text.encode() + text[end:]
    return text.decode()
