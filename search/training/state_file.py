"""The file from which a training goes on, on whatever machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from search.training.files import DAMAGED, TRAINING, CandidateFiles, Identified
from search.training.packed import packed, unpacked
from search.training.sealed import DamagedStateError

__all__ = ["load_training", "save_training"]


def save_training(files: CandidateFiles, candidate: Identified, state: Mapping[str, Any]) -> None:
    """Write what a training needs to go on; `packed` says what that may be.

    Raises:
        OSError: It cannot be written.
    """
    files.write(candidate, TRAINING, packed(state))


def load_training(files: CandidateFiles, candidate: Identified) -> dict[str, Any] | None:
    """Return what `save_training` wrote, or `None` where there is nothing.

    Raises:
        DamagedStateError: It is not what was written. It is kept as `training-NUMBER.pt.damaged`.
    """
    written = files.read(candidate, TRAINING)
    if written is None:
        return None
    try:
        return unpacked(written)
    except DamagedStateError as error:
        files.write(candidate, DAMAGED, written)
        files.remove(candidate, TRAINING)
        raise DamagedStateError(f"the state of its training was damaged ({error})") from None
