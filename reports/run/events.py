"""`log.jsonl` of a run: what happened last, and what ended its search."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from reports.run.run import LOG, RunRecord

__all__ = ["SEARCH_EVENTS", "last_event", "needed_to_go_on"]

SEARCH_EVENTS: Final = ("launched", "resumed", "interrupted", "ended")
# Limits over all of a run, which end it again at once; of `search.timeout` a resume has as much again.
_LASTING: Final = ("search.patience", "limits.device_hours")


def last_event(path: Path, *kinds: str) -> dict[str, Any] | None:
    """Return the last event of a log, or the last one of these kinds.

    `None` where there is none or, of all kinds, where its last line is torn.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return None
    for line in reversed(lines):
        try:
            event = dict(json.loads(line))
        except ValueError:
            event = {}
        if not kinds or event.get("event") in kinds:
            return event or None
    return None


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
