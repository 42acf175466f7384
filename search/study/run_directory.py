"""The folder that holds a run, and the lock that keeps a second driver out of it."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from shlex import quote
from typing import Any

import yaml

from fusion_ops.errors import RunError
from reports.retrained.record import RETRAIN_FILE, RetrainRecord
from search.training.disk import write_whole

__all__ = ["CHECKPOINTS", "CONFIG", "LOCK", "RunDirectory", "holder", "last_holder", "utc_now"]

CONFIG, STUDY, LOG, LOCK = "config.yaml", "study.journal", "log.jsonl", "driver.lock"
CHECKPOINTS, DATA, PRIOR = "checkpoints", "data", "prior"


class RunDirectory:
    """A run directory: its files, made, found or removed."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).resolve()
        self.config = self.path / CONFIG
        self.study = self.path / STUDY
        self.log = self.path / LOG
        # A few validation images, for the export's check of itself.
        self.samples = self.path / "samples.safetensors"
        # What the run is doing now.
        self.live = self.path / "live.json"
        self.checkpoints = self.path / CHECKPOINTS
        # A data set that was handed to the launch.
        self.data = self.path / DATA
        # Table and config of the run that the search began with.
        self.prior = self.path / PRIOR
        self._made = False

    @property
    def quoted(self) -> str:
        """Its path as a word of a shell's command line."""
        return quote(str(self.path))

    def create(self) -> None:
        """Make the folder.

        Raises:
            RunError: It exists and is not empty, or cannot be made.
        """
        self.require_new()
        self._made = not self.path.exists()
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(f"cannot create run directory {self.path}: {error.strerror}.") from None

    def require_new(self) -> None:
        """Raise `RunError` unless the folder is missing or empty."""
        if self.path.is_file():
            raise RunError(f"run directory {self.path} is a file; choose another with --run-dir.")
        if (self.path / CONFIG).exists():
            raise RunError(
                f"{self.path} holds a run already; continue it with `fusion-nas resume {self.quoted}`, "
                "or choose another folder with --run-dir."
            )
        if self.path.is_dir() and any(self.path.iterdir()):
            raise RunError(f"run directory {self.path} is not empty; choose another with --run-dir.")

    def write_config(self, values: dict[str, Any]) -> None:
        """Write the resolved config, whole or not at all; what it names in this folder, by a relative path."""
        section = values.get("data", {})
        if section.get("path") == str(self.data):
            values = values | {"data": section | {"path": DATA}}
        self._write(self.config, values)

    def write_retrain_record(self, record: RetrainRecord) -> None:
        """Write what was asked of a retraining and who takes part in it, whole or not at all."""
        self._write(self.path / RETRAIN_FILE, record.to_dict())

    def _write(self, path: Path, values: dict[str, Any]) -> None:
        write_whole(path, yaml.safe_dump(values, sort_keys=False, allow_unicode=True).encode())

    @contextmanager
    def emptied_on_error(self) -> Iterator[None]:
        """Leave nothing if the block ends with an error: what has not begun is no run."""
        try:
            yield
        except BaseException:
            self.empty()
            raise

    def empty(self) -> None:
        """Remove all that is in the folder, and the folder itself where `create` has made it."""
        for path in self.path.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        if self._made:
            self.path.rmdir()

    def require_free(self) -> None:
        """Raise `RunError` if a process holds the run; nothing is written."""
        if (owner := holder(self.path)) is not None:
            raise self._in_use(owner)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the run for this process.

        Raises:
            RunError: Another process holds it; the message names it. Or the folder cannot be written.
        """
        try:
            lock = (self.path / LOCK).open("a+", encoding="utf-8")
        except OSError as error:
            raise RunError(f"cannot write run directory {self.path}: {error.strerror}.") from None
        with lock as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise self._in_use(_owner(self.path / LOCK)) from None
            file.truncate(0)
            file.write(json.dumps({"pid": os.getpid(), "host": socket.gethostname()}))
            file.flush()
            # Only a driver that was killed while writing leaves Optuna's own lock behind.
            self.study.with_name(f"{STUDY}.lock").unlink(missing_ok=True)
            yield

    def _in_use(self, owner: dict[str, Any]) -> RunError:
        return RunError(
            f"{self.path} is in use by pid {owner['pid']} on host {owner['host']}; wait for its end "
            f"(`fusion-nas status {self.quoted}`)."
        )


def utc_now() -> str:
    """Return the time as a run directory has it: ISO 8601, UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def holder(path: Path) -> dict[str, Any] | None:
    """Return `{pid, host}` of the process that drives the run at `path` now, or `None`."""
    try:
        with (path / LOCK).open(encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                return _owner(path / LOCK)
    except OSError:
        return None
    return None


def last_holder(path: Path) -> dict[str, Any] | None:
    """Return `{pid, host}` of the process that drives the run at `path`, or did so last; `None` if none did."""
    return _owner(path / LOCK) if (path / LOCK).is_file() else None


def _owner(lock: Path) -> dict[str, Any]:
    try:
        values = json.loads(lock.read_text(encoding="utf-8"))
        return {"pid": values["pid"], "host": values["host"]}
    except (OSError, ValueError, KeyError, TypeError):
        return {"pid": "?", "host": "?"}
