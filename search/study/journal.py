"""The journal file of a run's study, written by its driver."""

from __future__ import annotations

import json
import os
import weakref
from collections.abc import Generator, Iterator
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

    What it has written itself it does not read again from the file, which stays open; what another process has appended
    all the same is read. It keeps one place of the file, however many records there are.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        super().__init__(str(path))
        self._handle = self._opened(os.O_RDONLY)
        # Opened with the first record that is written: a journal that is only read may lie where nothing can be.
        self._writing: int | None = None
        # So many records were read up to this place of the file; those behind it that were written here, and their end.
        self._read, self._place = 0, 0
        self._own: list[bytes] = []
        self._end = 0

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Append records, one a line, all of them or none; what may be lost does not wait for the disk."""
        if self._writing is None:
            self._writing = self._opened(os.O_WRONLY | os.O_APPEND)
        lines = [json.dumps(log, separators=(",", ":")).encode() + b"\n" for log in logs]
        left = memoryview(b"".join(lines))
        size = os.fstat(self._handle).st_size
        try:
            while left:
                left = left[os.write(self._writing, left) :]
            if not all(map(may_be_lost, logs)):
                os.fsync(self._writing)
        except OSError:
            os.ftruncate(self._writing, size)
            raise
        if size == self._end:
            self._own += lines
            self._end += sum(map(len, lines))

    def read_logs(self, log_number_from: int) -> Generator[dict[str, Any], None, None]:
        """Yield the records from the one of a number on, as far as they are whole."""
        if log_number_from != self._read:
            yield from self._from_file(log_number_from, 0, 0)
        elif os.fstat(self._handle).st_size == self._end:
            own, self._own = self._own, []
            self._read, self._place = self._read + len(own), self._end
            yield from map(json.loads, own)
        else:
            yield from self._from_file(log_number_from, self._read, self._place)

    def _opened(self, flags: int) -> int:
        handle = os.open(self._path, flags)
        weakref.finalize(self, os.close, handle)
        return handle

    def _from_file(self, wanted: int, number: int, place: int) -> Iterator[dict[str, Any]]:
        """Yield the records from `wanted` on, where record `number` begins at a place of the file."""
        size = os.fstat(self._handle).st_size
        with self._path.open("rb") as file:
            file.seek(place)
            for line in file:
                if place + len(line) > size or not line.endswith(b"\n"):
                    break
                place, number = place + len(line), number + 1
                self._read, self._place, self._end, self._own = number, place, place, []
                if number > wanted:
                    yield json.loads(line)
