"""`log.jsonl`: what happened in a run, one event a line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from search.study.run_directory import utc_now

__all__ = ["EventLog", "last_event"]


class EventLog:
    """Appends events to a file.

    Args:
        path: The file; it is created with the first event.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, event: str, **fields: Any) -> None:
        """Append one event with the time and these fields."""
        line = json.dumps({"time": utc_now(), "event": event, **fields}, ensure_ascii=False)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")


def last_event(path: Path) -> dict[str, Any] | None:
    """Return the last event of a log, or `None` where there is none, or where its last line is torn."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        return dict(json.loads(lines[-1])) if lines else None
    except (OSError, ValueError):
        return None
