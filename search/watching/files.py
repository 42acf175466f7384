"""`log.jsonl` and `live.json`: what happened in a run, and what it does now, for whoever looks from outside."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from reports.atomic import write_text
from reports.candidates.candidate import Candidate
from search.study.ledger import Ledger
from search.study.run_directory import utc_now
from search.watching.pace import Pace
from search.watching.time_left import TimeLeft

__all__ = ["EventLog", "LiveFile", "read_live"]


class EventLog:
    """Appends events to a file, which is created with the first one."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, event: str, **fields: Any) -> None:
        """Append one event with the time and these fields."""
        line = json.dumps({"time": utc_now(), "event": event, **fields}, ensure_ascii=False)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")


class LiveFile:
    """Writes what is in training and how long the rest will take, at most once a second: see `Pace`."""

    def __init__(self, path: Path, ledger: Ledger, time_left: TimeLeft) -> None:
        self._path, self._ledger, self._time_left = path, ledger, time_left
        self._pace = Pace()
        self._doing: str | None = None

    def update(self, doing: str | None = None) -> None:
        """Write the file, unless that was a short time ago.

        Args:
            doing: What the run does beside the search, such as measuring; written at once where that begins or ends.

        Raises:
            OSError: It cannot be written, as on a full disk.
        """
        if not self._pace.due() and (doing is None) == (self._doing is None):
            return
        with self._pace.doing():
            left = self._time_left.seconds()
            values = {
                "time": utc_now(),
                "doing": doing,
                "seconds_left": None if left is None else round(left, 1),
                "workers": [_described(one) for one in self._ledger.running() if one.trained_epochs],
            }
            write_text(self._path, json.dumps(values))
        self._doing = doing


def read_live(path: Path) -> dict[str, Any]:
    """Return what a driver wrote: `time`, `doing`, `seconds_left`, `workers`; nothing where there is no file."""
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def _described(candidate: Candidate) -> dict[str, Any]:
    return {
        "worker": candidate.worker,
        "number": candidate.number,
        "id": candidate.id,
        "fusion": list(dict.fromkeys(str(choice) for _, choice in candidate.architecture.choices)),
        "epochs": candidate.epochs,
        "seconds_per_epoch": round(candidate.seconds / candidate.trained_epochs, 3),
    }
