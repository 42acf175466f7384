"""The journal file of a run's study, written by its driver."""

from __future__ import annotations

import json
import os
import weakref
from collections.abc import Generator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from optuna.storages.journal import JournalFileBackend

from fusion_ops.errors import RunError
from search.strategy.trials import may_be_lost
from search.study.proposal import Proposal

__all__ = ["Journal"]


class Journal(JournalFileBackend):
    """Optuna's journal file for one writer, which waits for the disk only where something would be lost.

    A study with 30 fusion points sets 45 parameters for each candidate. Between `hold` and `let_go` they wait in memory
    with the trial that they belong to, until something is written that matters, such as the candidate itself: then all
    of it is one record, on the disk together. So a killed process loses nothing, and a power failure no more than with
    Optuna's own backend: a proposal that nobody has begun to train, and reports of a training that goes on and reports
    again. While a trial is held nobody else may create one, whose number it would take: the file has Optuna's own lock
    for so long. Nothing else takes that lock: the run directory is locked by the driver, which alone writes the study,
    and a write of a few lines is appended whole.

    What it has written itself it does not read again from the file, which stays open; what another process has appended
    all the same is read. It keeps one place of the file, however many records there are, and so serves one storage.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        super().__init__(str(path))
        self._handle = self._opened(os.O_RDONLY)
        # Opened with the first record that is written: a journal that is only read may lie where nothing can be.
        self._writing: int | None = None
        # So many records were handed out, which the file has up to this place, but for what is held; then come those
        # that were appended here, and nothing else.
        self._read, self._place = 0, 0
        self._own: list[dict[str, Any]] = []
        self._holding = self._locked = False
        self._held: Proposal | None = None

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Append records, one a line, all of them or none; what may be lost does not wait for the disk."""
        for log in logs:
            self._append(log)

    def read_logs(self, log_number_from: int) -> Generator[dict[str, Any], None, None]:
        """Yield the records from the one of a number on, as far as they are whole."""
        if log_number_from != self._read:
            yield from self._from_file(log_number_from, 0, 0)
            return
        own, self._own = self._own, []
        self._read += len(own)
        yield from own
        if self._size() != self._place:
            yield from self._from_file(self._read, self._read, self._place)

    # A proposal

    def hold(self) -> None:
        """Keep the next trial that is created back, with its parameters and attributes, until it is `let_go`."""
        self._holding = True

    def created(self, trial_id: int) -> None:
        """Note which trial the last record has created."""
        if self._held is not None and self._held.trial_id is None:
            self._held.trial_id = trial_id

    def write_held(self) -> None:
        """Write what is held; what follows of the trial is written by itself."""
        if self._held is not None:
            self._write([], durable=False)

    def let_go(self) -> None:
        """Write what is held, and keep nothing back any more."""
        self._holding = False
        try:
            self.write_held()
        finally:
            self._unlock()

    # How it is done

    def _append(self, log: dict[str, Any]) -> None:
        if self._holding and self._held is None and Proposal.begins(log) and self._is_alone():
            self._held = Proposal(log)
        elif self._held is None or not self._held.takes(log):
            self._write([log], durable=not may_be_lost(log))
            return
        elif not may_be_lost(log):
            self._write([], durable=True)
        self._own.append(_as_read(log))

    def _is_alone(self) -> bool:
        """Take Optuna's lock of the file; return whether that is possible, and all is known that the file has."""
        try:
            self._locked = self._locked or self._lock.acquire()
        except OSError:
            # A file system without links: each record is written by itself there.
            return False
        return self._size() == self._place

    def _unlock(self) -> None:
        if self._locked:
            self._locked = False
            # It is gone where another process has waited for it for half a minute, as Optuna does.
            with suppress(RuntimeError):
                self._lock.release()

    def _write(self, logs: list[dict[str, Any]], *, durable: bool) -> None:
        """Write what is held and then records."""
        if self._writing is None:
            self._writing = self._opened(os.O_WRONLY | os.O_APPEND)
        size = self._size()
        if self._held is not None and size != self._place:
            raise RunError(
                f"another process has written {self._path} while its lock was the driver's; nothing else may write it. "
                "Stop that process, then continue with `fusion-nas resume`."
            )
        records = [*([] if self._held is None else [self._held.record()]), *logs]
        lines = b"".join(json.dumps(record, separators=(",", ":")).encode() + b"\n" for record in records)
        left = memoryview(lines)
        try:
            while left:
                left = left[os.write(self._writing, left) :]
            if durable:
                os.fsync(self._writing)
        except OSError:
            os.ftruncate(self._writing, size)
            raise
        self._held = None
        self._unlock()
        if size == self._place:
            self._place += len(lines)
            self._own += map(_as_read, logs)

    def _size(self) -> int:
        return os.fstat(self._handle).st_size

    def _opened(self, flags: int) -> int:
        handle = os.open(self._path, flags)
        weakref.finalize(self, os.close, handle)
        return handle

    def _from_file(self, wanted: int, number: int, place: int) -> Iterator[dict[str, Any]]:
        """Yield the records from `wanted` on, where record `number` begins at a place of the file."""
        size = self._size()
        with self._path.open("rb") as file:
            file.seek(place)
            for line in file:
                if place + len(line) > size or not line.endswith(b"\n"):
                    break
                place, number = place + len(line), number + 1
                self._read, self._place, self._own = number, place, []
                if number > wanted:
                    yield json.loads(line)


def _as_read(log: dict[str, Any]) -> dict[str, Any]:
    """Return a record as the file gives it; of a parameter, which is text and a number, the record itself."""
    if "param_name" in log:
        return log
    record: dict[str, Any] = json.loads(json.dumps(log))
    return record
