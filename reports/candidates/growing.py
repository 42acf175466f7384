"""The candidates table of a run that goes on: what has ended is written once, and copied from then on."""

from __future__ import annotations

import errno
import io
import os
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fusion_ops.errors import RunError
from reports.candidates import table
from reports.candidates.candidate import TERMINAL, Candidate
from reports.fronts.dominance import non_dominated

__all__ = ["GrowingTable"]

BATCH, BLOCK = 1000, 1 << 20
FLAG = "on_front"

Row = tuple[bytes, bytes]
Numbers = npt.NDArray[np.int64]


class GrowingTable:
    """Writes `candidates.csv`, whole or not at all, as `table.write` does, without making all of its rows anew.

    The rows of candidates that have ended are copied from the file that is there, as long as it is the one that was
    written last; only who is on the front may change in them. So the work and the memory are those of what is in
    training and has ended since, but for the copy itself.

    Args:
        run_dir: The run directory.
        objectives: Names of the objectives.
        record: Returns a candidate's row, by column.
    """

    def __init__(
        self, run_dir: Path, objectives: Sequence[str], record: Callable[[Candidate], Mapping[str, Any]]
    ) -> None:
        self._path, self._objectives, self._record = run_dir / table.FILE, tuple(objectives), record
        self._columns: list[str] = []
        self._forget()

    def _forget(self) -> None:
        """Have every row made anew."""
        self._written: tuple[int, ...] | None = None
        # By number of the candidate, where its row begins, is split by the flag, and ends; 0 where there is none.
        self._places = np.zeros((0, 3), dtype=np.int64)
        self._front: dict[int, tuple[float, ...]] = {}

    def write(self, candidates: Mapping[int, Candidate], *, anew: bool = False) -> None:
        """Write the table of some candidates, given by number.

        Args:
            candidates: All of them.
            anew: Whether every row is made anew, and columns beyond the usual ones stand as `table.frame` has them.

        Raises:
            RunError: The file cannot be written; the message names it.
        """
        numbers = np.sort(np.fromiter(candidates, dtype=np.int64, count=len(candidates)))
        if anew:
            self._columns = []
        if anew or self._written is None or self._written != _identity(self._path):
            self._forget()
        missing = int(numbers.max(initial=-1)) + 1 - len(self._places)
        self._places = np.concatenate([self._places, np.zeros((max(missing, 0), 3), dtype=np.int64)])
        while True:
            before = dict(self._front)
            try:
                rows = self._rows(candidates, numbers[self._places[numbers, 2] == 0].tolist())
                break
            except _MoreColumnsError:
                self._forget()
                self._places = np.zeros((int(numbers.max(initial=-1)) + 1, 3), dtype=np.int64)
        try:
            self._replace(candidates, numbers, rows, before.keys())
        except OSError as error:
            self._forget()
            raise RunError(f"cannot write {self._path}: {error.strerror}.") from None

    def _rows(self, candidates: Mapping[int, Candidate], numbers: Sequence[int]) -> dict[int, Row]:
        """Return the rows of candidates without their flags, and note who of those that have ended is on the front."""
        rows: dict[int, Row] = {}
        if not self._columns:
            self._columns = list(table.frame([], self._objectives).columns)
        for batch in (numbers[start : start + BATCH] for start in range(0, len(numbers), BATCH)):
            frame = table.frame([self._record(candidates[number]) for number in batch], self._objectives)
            if further := [name for name in frame.columns if name not in self._columns]:
                self._columns += further
                raise _MoreColumnsError
            frame = frame.reindex(columns=self._columns)
            place = self._columns.index(FLAG)
            halves = _lines(frame.iloc[:, :place]), _lines(frame.iloc[:, place + 1 :])
            rows |= dict(zip(batch, zip(*halves, strict=True), strict=True))
            self._judge(frame, batch)
        return rows

    def _judge(self, frame: pd.DataFrame, numbers: Sequence[int]) -> None:
        ranked: list[int] = np.flatnonzero(table.comparable(frame).to_numpy(np.bool_)).tolist()
        values = map(tuple, table.losses(frame.iloc[ranked], self._objectives).tolist())
        known = [*self._front.items(), *zip((numbers[place] for place in ranked), values, strict=True)]
        if known:
            kept = non_dominated([point for _, point in known])
            self._front = {number: point for (number, point), stays in zip(known, kept, strict=True) if stays}

    def _replace(
        self, candidates: Mapping[int, Candidate], numbers: Numbers, rows: Mapping[int, Row], before: Collection[int]
    ) -> None:
        handle, temporary = tempfile.mkstemp(dir=self._path.parent, prefix=f".{self._path.name}.")
        try:
            with os.fdopen(handle, "wb") as new:
                new.write((",".join(self._columns) + "\n").encode())
                self._copy(candidates, numbers, rows, before, new)
            Path(temporary).chmod(0o644)
            Path(temporary).replace(self._path)
            self._written = _identity(self._path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            self._forget()
            raise

    def _copy(
        self,
        candidates: Mapping[int, Candidate],
        numbers: Numbers,
        rows: Mapping[int, Row],
        before: Collection[int],
        new: IO[bytes],
    ) -> None:
        """Write the rows in their order: runs of known ones as they are, the others each by itself."""
        changed = {number for number in before if number not in self._front}
        apart = np.isin(numbers, list(rows.keys() | changed))
        starts, ends = self._places[numbers, 0], self._places[numbers, 2]
        begins = np.flatnonzero(np.append(True, apart[1:] | apart[:-1] | (starts[1:] != ends[:-1])))
        with self._path.open("rb") if self._written is not None else io.BytesIO() as old:
            for run in np.split(numbers, begins[1:]):
                if not len(run):
                    continue
                number = int(run[0])
                if number not in rows and number not in changed:
                    self._copy_run(run, old, new)
                    continue
                left, right = rows[number] if number in rows else self._halves(number, old)
                start = new.tell()
                new.write(left + b"," + str(number in self._front).encode() + b",")
                split = new.tell()
                new.write(right + b"\n")
                if number not in rows or candidates[number].state in TERMINAL:
                    self._places[number] = start, split, new.tell()

    def _halves(self, number: int, old: IO[bytes]) -> Row:
        """Return the row of a candidate that was on the front, without that flag."""
        start, split, end = self._places[number].tolist()
        old.seek(start)
        text = old.read(end - start)
        return text[: split - start - len(b",True,")], text[split - start : -1]

    def _copy_run(self, run: Numbers, old: IO[bytes], new: IO[bytes]) -> None:
        """Copy rows that lie behind one another, and note where they lie from then on."""
        start, left = int(self._places[run[0], 0]), int(self._places[run[-1], 2] - self._places[run[0], 0])
        old.seek(start)
        self._places[run] += new.tell() - start
        while left:
            part = old.read(min(left, BLOCK))
            if not part:
                raise OSError(errno.EIO, "the table has been cut short")
            left -= new.write(part)


class _MoreColumnsError(Exception):
    """A row has columns that the file does not have."""


def _identity(path: Path) -> tuple[int, ...] | None:
    """Return what tells a file from what another program has put in its place; `None` where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _lines(frame: pd.DataFrame) -> list[bytes]:
    """Return a line of CSV for each row."""
    lines = (
        frame.to_csv(index=False, header=False, lineterminator="\n").encode("utf-8", "backslashreplace").split(b"\n")
    )
    if len(lines) == len(frame) + 1:
        return lines[:-1]
    # A cell has several lines.
    parts = (frame.iloc[[place]].to_csv(index=False, header=False, lineterminator="\n") for place in range(len(frame)))
    return [part[:-1].encode("utf-8", "backslashreplace") for part in parts]
