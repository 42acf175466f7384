"""How Ray lost a worker, in one line that two workers which were lost alike share."""

from __future__ import annotations

import re

__all__ = ["how_lost"]

MOST = 200
_DETAIL = re.compile(r"Worker exit type: (\w+) Worker exit detail: (.*)", re.DOTALL)


def how_lost(message: str) -> str:
    """Return what the message of Ray's error says of the end of a worker; empty where it is.

    Its message is a paragraph, and the cause its last line, as that of a traceback is.
    """
    lines = [line for line in message.splitlines() if line.strip()]
    if not lines:
        return ""
    exited = _DETAIL.search(lines[-1])
    line = f"{exited[2].partition('. ')[0]} ({exited[1]})" if exited else lines[-1]
    line = line.strip().rstrip(".")
    return line if len(line) <= MOST else f"{line[:MOST]}…"
