"""The journal file of a run's study, written by its driver."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from optuna.storages.journal import JournalFileBackend

from search.strategy.trials import may_be_lost

__all__ = ["Journal"]


class Journal(JournalFileBackend):
    """Optuna's journal file for one writer, which waits for the disk only where something would be lost.

    A study with 30 fusion points writes 30 parameters for each candidate, and what is measured after every epoch; what
    follows them, the candidate itself, reaches the disk together with them. So a killed process loses nothing, and a
    power failure no more than with Optuna's own backend: a proposal that nobody has begun to train, and reports of a
    training that goes on and reports again. It takes no lock for a write either: the run
    directory is locked by the driver, which alone writes the study, and a write of a few lines is appended whole.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        super().__init__(str(path))

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Append records, one a line, all of them or none; what may be lost does not wait for the disk."""
        left = memoryview("".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs).encode())
        with self._path.open("ab", buffering=0) as file:
            size = file.seek(0, os.SEEK_END)
            try:
                while left:
                    left = left[file.write(left) :]
                if not all(map(may_be_lost, logs)):
                    os.fsync(file.fileno())
            except OSError:
                file.truncate(size)
                raise
