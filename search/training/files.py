"""The files of candidates: a folder for each, in the run directory."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Protocol

from search.training.disk import write_whole

__all__ = ["DAMAGED", "TRAINING", "VERDICT", "WEIGHTS", "CandidateFiles", "FolderFiles"]

WEIGHTS, TRAINING = "model.safetensors", "training.pt"
DAMAGED = f"{TRAINING}.damaged"
VERDICT = "verdict.txt"
_ID = re.compile(r"[0-9a-f]{4,64}")


class CandidateFiles(Protocol):
    """Files by the id of a candidate and one of four names, wherever they are kept."""

    def read(self, candidate_id: str, name: str) -> bytes | None:
        """Return what a file holds, or `None` where there is none."""

    def write(self, candidate_id: str, name: str, content: bytes) -> None:
        """Write a file whole or not at all.

        Raises:
            OSError: It cannot be written; `filename` says which.
        """

    def remove(self, candidate_id: str, name: str) -> None:
        """Remove a file, if it is there."""


class FolderFiles:
    """Files of candidates in folders of this machine, or of a disk that it shares.

    Args:
        checkpoints: The folder of the candidates' folders.
    """

    def __init__(self, checkpoints: Path) -> None:
        self._checkpoints = checkpoints

    def read(self, candidate_id: str, name: str) -> bytes | None:
        """Return what a file holds, or `None` where there is none."""
        try:
            return self._path(candidate_id, name).read_bytes()
        except FileNotFoundError:
            return None

    def write(self, candidate_id: str, name: str, content: bytes) -> None:
        """Write a file whole or not at all.

        Raises:
            OSError: It cannot be written; `filename` says which.
        """
        write_whole(self._path(candidate_id, name), content)

    def remove(self, candidate_id: str, name: str) -> None:
        """Remove a file, and with the last one the candidate's folder."""
        path = self._path(candidate_id, name)
        path.unlink(missing_ok=True)
        if path.parent.is_dir() and not any(path.parent.iterdir()):
            path.parent.rmdir()

    def in_training(self) -> list[str]:
        """Return the ids of the candidates of which there is a state to go on from."""
        return sorted(path.parent.name for path in self._checkpoints.glob(f"*/{TRAINING}"))

    def _path(self, candidate_id: str, name: str) -> Path:
        if _ID.fullmatch(candidate_id) is None:
            raise ValueError(f"a candidate's id is a hexadecimal number; got {candidate_id!r}")
        if name not in (WEIGHTS, TRAINING, DAMAGED, VERDICT):
            raise ValueError(f"a candidate has no file {name!r}")
        return self._checkpoints / candidate_id / name
