"""How Ray lost a worker, in one line that two workers which were lost alike share."""

from __future__ import annotations

import re

__all__ = ["how_lost"]

MOST = 200
_DETAIL = re.compile(r"Worker exit type: (\w+) Worker exit detail: (.*)", re.DOTALL)


def how_lost(error: Exception | None) -> str:
    """Return what Ray's error says of the end of a worker; empty where there is none.

    Its message is a paragraph: names and addresses on indented lines of their own, then the cause. An exception that
    a worker raised comes with its traceback, whose last line is the cause.
    """
    lines = [] if error is None else [line for line in str(error).splitlines() if line.strip()]
    told = [line for line in lines if not line.startswith(("\t", " "))] or lines
    if not told:
        return ""
    exited = _DETAIL.search(told[-1])
    line = f"{exited[2].partition('. ')[0]} ({exited[1]})" if exited else told[-1]
    line = line.strip().rstrip(".")
    return line if len(line) <= MOST else f"{line[:MOST]}…"
