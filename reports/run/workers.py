"""`workers.json` in a run directory: on which machines, and with what, the candidates of a run were trained."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

__all__ = ["WORKERS_FILE", "Worker", "read_workers"]

WORKERS_FILE: Final = "workers.json"


@dataclass(frozen=True, slots=True)
class Worker:
    """A machine that trained.

    Args:
        host: Its name.
        environment: Its versions and hardware.
    """

    host: str
    environment: Mapping[str, Any]


def read_workers(run_dir: str | Path) -> tuple[Worker, ...]:
    """Return the machines of a run, by name; none where the run did not record them, or the file is damaged."""
    try:
        values = json.loads((Path(run_dir) / WORKERS_FILE).read_text(encoding="utf-8"))
        return tuple(Worker(str(host), dict(values[host])) for host in sorted(values))
    except (OSError, ValueError, TypeError):
        return ()
