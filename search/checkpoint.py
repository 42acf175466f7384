"""A candidate's files: weights that anyone may load, and the state from which its training goes on."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from search.causes import causes

__all__ = [
    "TRAINING",
    "WEIGHTS",
    "DamagedStateError",
    "discard_training",
    "full_disk",
    "is_full",
    "load_training",
    "save_training",
    "save_weights",
]


class DamagedStateError(Exception):
    """A training's state is not what was written."""


WEIGHTS, TRAINING = "model.safetensors", "training.pt"


def save_weights(folder: Path, state: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> None:
    """Write a state dict as safetensors, atomically, and drop the training state that it replaces.

    Args:
        folder: The candidate's folder.
        state: The network's state dict.
        metadata: JSON-ready values to keep in the file's header.
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
    _write(folder / WEIGHTS, save(tensors, metadata={key: json.dumps(value) for key, value in metadata.items()}))
    discard_training(folder)


def save_training(folder: Path, state: Mapping[str, Any]) -> None:
    """Write what a training needs to go on, atomically, its SHA-256 in the first line."""
    buffer = BytesIO()
    torch.save(dict(state), buffer)
    content = buffer.getvalue()
    _write(folder / TRAINING, _digest(content) + b"\n" + content)


def load_training(folder: Path) -> dict[str, Any] | None:
    """Return what `save_training` wrote, or `None` where there is nothing. Nothing is unpickled.

    Raises:
        DamagedStateError: The file is not what was written. It is kept as `training.pt.damaged`.
    """
    path = folder / TRAINING
    if not path.is_file():
        return None
    expected, _, content = path.read_bytes().partition(b"\n")
    found = _digest(content)
    if found != expected:
        path.replace(path.with_name(f"{TRAINING}.damaged"))
        shown = expected[:16].decode("ascii", "backslashreplace")
        raise DamagedStateError(
            f"the state of its training was damaged (SHA-256 {shown}… expected, {found[:16].decode()}…)"
        )
    state: dict[str, Any] = torch.load(BytesIO(content), map_location="cpu", weights_only=True)
    return state


def _write(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, and see to it that it is on the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()


def is_full(error: OSError) -> bool:
    """Return whether something could not be written because a disk, or a user's share of it, is full."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def full_disk(error: BaseException) -> OSError | None:
    """Return the error of a full disk among the causes of `error`, or `None`."""
    return next((cause for cause in causes(error) if isinstance(cause, OSError) and is_full(cause)), None)


def discard_training(folder: Path) -> None:
    """Remove the training state; weights stay."""
    (folder / TRAINING).unlink(missing_ok=True)
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
