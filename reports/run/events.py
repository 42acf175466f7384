"""`log.jsonl` of a run: what happened last, and what ended its search."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from reports.run.run import LOG, RunRecord

__all__ = ["SEARCH_EVENTS", "last_event", "needed_to_go_on"]

SEARCH_EVENTS: Final = ("launched", "resumed", "interrupted", "ended")
# Limits over all of a run, which end it again at once; of `search.timeout` a resume has as much again.
_LASTING: Final = ("search.patience", "limits.device_hours")
# Bytes of a log that are read at once.
_BLOCK: Final = 1 << 20


def last_event(path: Path, *kinds: str) -> dict[str, Any] | None:
    """Return the last event of a log, or the last one of these kinds.

    `None` where there is none or, of all kinds, where its last line is torn. A log is read from its end, and no further
    than needed.
    """
    named = [json.dumps(kind).encode() for kind in kinds]
    try:
        for line in _from_the_end(path, named):
            try:
                read = json.loads(line)
            except ValueError:
                read = None
            event = read if isinstance(read, dict) else {}
            if not kinds or event.get("event") in kinds:
                return event or None
    except OSError:
        return None
    return None


def _from_the_end(path: Path, named: Sequence[bytes]) -> Iterator[bytes]:
    """Yield the lines of a file, the last one first; those that hold none of `named` may be left out."""
    with path.open("rb") as file:
        place = file.seek(0, os.SEEK_END)
        torn = b""
        if place:
            # What follows the last line's end is no line.
            file.seek(place - 1)
            place -= file.read(1) == b"\n"
            while place:
                start = max(place - _BLOCK, 0)
                file.seek(start)
                text = file.read(place - start) + torn
                if not named or any(name in text for name in named):
                    torn, *lines = text.split(b"\n")
                    yield from reversed(lines)
                else:
                    torn = text.partition(b"\n")[0]
                place = start
            yield torn


def needed_to_go_on(run: RunRecord) -> tuple[str, ...]:
    """Return what a resume must set for a search to go on that ended because a limit was used up, as `KEY=VALUE`.

    It is twice the limit; nothing where the search ended for another reason, or has not ended.
    """
    last = last_event(run.path / LOG, *SEARCH_EVENTS) or {}
    if last.get("event") != "ended":
        return ()
    key = "search.patience" if "unchanged" in last else last.get("limit")
    if key not in _LASTING:
        return ()
    section, _, name = str(key).partition(".")
    values = run.config.get(section)
    limit = values.get(name) if isinstance(values, Mapping) else None
    return () if limit is None else (f"{key}={2 * limit:g}",)
