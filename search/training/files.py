"""The files of candidates, in the run directory: a folder for each architecture, and in it those of its trainings.

The search's weights are the architecture's, whoever trained it; the rest belongs to one candidate and has its number.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from search.training.disk import write_whole

__all__ = [
    "DAMAGED",
    "FAILURE",
    "OUTCOMES",
    "PASSED_ON",
    "RETRAINED_WEIGHTS",
    "SCORES",
    "TRAINING",
    "VALIDATED",
    "VERDICT",
    "WEIGHTS",
    "CandidateFiles",
    "FolderFiles",
    "Identified",
]

WEIGHTS, TRAINING, VERDICT = "model.safetensors", "training-{}.pt", "verdict-{}.txt"
DAMAGED = f"{TRAINING}.damaged"
# Of a retraining: its weights, and what each test image got from them.
RETRAINED_WEIGHTS, OUTCOMES = "retrained-{}.safetensors", "test-{}.safetensors"
# Of a training of the library, what each validation image got.
VALIDATED = "validation-{}.safetensors"
# The weights that others begin with, and what the optimiser knows of them.
PASSED_ON = "passed-on-{}.pt"
# What a network of all architectures says of each, a line of JSON for one.
SCORES = "scores-{}.jsonl"
# The traceback of what failed, which the report shows.
FAILURE = "failure-{}.txt"
# Earlier versions kept these by architecture alone.
_UNNUMBERED = {"training.pt": TRAINING, "verdict.txt": VERDICT}
_ID = re.compile(r"[0-9a-f]{4,64}")


class Identified(Protocol):
    """A candidate, as far as its files need to know it."""

    @property
    def id(self) -> str:
        """Id of its architecture."""

    @property
    def number(self) -> int:
        """Its own number."""


class CandidateFiles(Protocol):
    """Files by candidate and one of the names above, wherever they are kept."""

    def read(self, candidate: Identified, name: str) -> bytes | None:
        """Return what a file holds, or `None` where there is none."""

    def write(self, candidate: Identified, name: str, content: bytes) -> None:
        """Write a file whole or not at all.

        Raises:
            OSError: It cannot be written; `filename` says which.
        """

    def remove(self, candidate: Identified, name: str) -> None:
        """Remove a file, if it is there."""


@dataclass  # not frozen: Ray derives the class of the keeper from this one
class FolderFiles:
    """Files of candidates in folders of this machine, or of a disk that it shares.

    Args:
        checkpoints: The folder of the architectures' folders.
    """

    checkpoints: Path

    def read(self, candidate: Identified, name: str) -> bytes | None:
        """Return what a file holds, or `None` where there is none."""
        try:
            return self._path(candidate, name).read_bytes()
        except FileNotFoundError:
            return None

    def write(self, candidate: Identified, name: str, content: bytes) -> None:
        """Write a file whole or not at all.

        Raises:
            OSError: It cannot be written; `filename` says which.
        """
        write_whole(self._path(candidate, name), content)

    def remove(self, candidate: Identified, name: str) -> None:
        """Remove a file, and with the last one its folder."""
        _remove(self._path(candidate, name))

    def keep_states(self, waiting: Iterable[Identified]) -> None:
        """Remove the states of all trainings but those that are to go on, whichever version wrote them."""
        kept = set()
        for candidate in waiting:
            for unnumbered, name in _UNNUMBERED.items():
                path = self._path(candidate, name)
                if path.with_name(unnumbered).is_file():
                    path.with_name(unnumbered).replace(path)
            kept.add(self._path(candidate, TRAINING))
        for path in set(self.checkpoints.glob("*/training*.pt")) - kept:
            _remove(path)

    def _path(self, candidate: Identified, name: str) -> Path:
        if _ID.fullmatch(candidate.id) is None:
            raise ValueError(f"an architecture's id is a hexadecimal number; got {candidate.id!r}")
        if name not in (
            WEIGHTS,
            TRAINING,
            DAMAGED,
            VERDICT,
            FAILURE,
            RETRAINED_WEIGHTS,
            OUTCOMES,
            PASSED_ON,
            VALIDATED,
            SCORES,
        ):
            raise ValueError(f"a candidate has no file {name!r}")
        return self.checkpoints / candidate.id / name.format(int(candidate.number))


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
    if path.parent.is_dir() and not any(path.parent.iterdir()):
        path.parent.rmdir()
