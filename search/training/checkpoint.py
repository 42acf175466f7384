"""The state from which a training goes on, with its checksum."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from io import BytesIO
from typing import Any

import torch

from search.training.files import DAMAGED, TRAINING, CandidateFiles, Identified

__all__ = ["DamagedStateError", "load_training", "save_training"]


class DamagedStateError(Exception):
    """A training's state is not what was written."""


def save_training(files: CandidateFiles, candidate: Identified, state: Mapping[str, Any]) -> None:
    """Write what a training needs to go on, its SHA-256 in the first line."""
    buffer = BytesIO()
    torch.save(dict(state), buffer)
    content = buffer.getvalue()
    files.write(candidate, TRAINING, _digest(content) + b"\n" + content)


def load_training(files: CandidateFiles, candidate: Identified) -> dict[str, Any] | None:
    """Return what `save_training` wrote, or `None` where there is nothing. Nothing is unpickled.

    Raises:
        DamagedStateError: It is not what was written. It is kept as `training-NUMBER.pt.damaged`.
    """
    written = files.read(candidate, TRAINING)
    if written is None:
        return None
    expected, _, content = written.partition(b"\n")
    found = _digest(content)
    if found != expected:
        files.write(candidate, DAMAGED, written)
        files.remove(candidate, TRAINING)
        shown = expected[:16].decode("ascii", "backslashreplace")
        raise DamagedStateError(
            f"the state of its training was damaged (SHA-256 {shown}… expected, {found[:16].decode()}…)"
        )
    state: dict[str, Any] = torch.load(BytesIO(content), map_location="cpu", weights_only=True)
    return state


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()
