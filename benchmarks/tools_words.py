"""What a tool says of a file that it does not take: one line, without the places of the machine that it was said on."""

from __future__ import annotations

import re
import subprocess

LONGEST = 300
LOCATION = re.compile(r"\b(?:loc|callsite)\(")
PATH = re.compile(r'"?(?:[A-Za-z]:)?(?<![\w.])(?:/[^\s/:"\']+)+/([^\s/:"\']+)"?')


def error_words(error: Exception) -> str:
    """Return an error's class and what it says; of a command that failed, what that wrote."""
    said = error.stderr if isinstance(error, subprocess.CalledProcessError) else str(error)
    return f"{type(error).__name__}: {words_of(said.decode() if isinstance(said, bytes) else str(said))}"


def words_of(said: str) -> str:
    """Return the line that says most: the first with `error:`, else with `error`, else the last one."""
    lines = [line.strip() for line in said.splitlines() if line.strip()] or [""]
    telling = [line for mark in ("error:", "error") for line in lines if mark in line.lower()]
    return PATH.sub(r"\1", _without_locations((telling or lines[-1:])[0]))[:LONGEST]


def _without_locations(line: str) -> str:
    """Return a line without `loc(…)` and `callsite(…)`, which name files and places in them."""
    while found := LOCATION.search(line):
        depth, end = 1, found.end()
        while depth and end < len(line):
            depth += {"(": 1, ")": -1}.get(line[end], 0)
            end += 1
        line = line[: found.start()] + line[end:].removeprefix(":").removeprefix(" ")
    return line.strip()
