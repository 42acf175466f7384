"""A candidate's files: weights that anyone may load, and the state from which its training goes on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

__all__ = ["TRAINING", "WEIGHTS", "discard_training", "load_training", "save_training", "save_weights"]

WEIGHTS, TRAINING = "model.safetensors", "training.pt"


def save_weights(folder: Path, state: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> None:
    """Write a state dict as safetensors, atomically, and drop the training state that it replaces.

    Args:
        folder: The candidate's folder.
        state: The network's state dict.
        metadata: JSON-ready values to keep in the file's header.
    """
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f"{WEIGHTS}.tmp"
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
    save_file(tensors, temporary, metadata={key: json.dumps(value) for key, value in metadata.items()})
    temporary.replace(folder / WEIGHTS)
    discard_training(folder)


def save_training(folder: Path, state: Mapping[str, Any]) -> None:
    """Write what a training needs to go on, atomically."""
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f"{TRAINING}.tmp"
    torch.save(dict(state), temporary)
    temporary.replace(folder / TRAINING)


def load_training(folder: Path) -> dict[str, Any] | None:
    """Return what `save_training` wrote, or `None` where there is nothing. Nothing is unpickled."""
    path = folder / TRAINING
    if not path.is_file():
        return None
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state


def discard_training(folder: Path) -> None:
    """Remove the training state; weights stay."""
    (folder / TRAINING).unlink(missing_ok=True)
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
