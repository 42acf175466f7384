"""The candidate's network with the weights of its best validation epoch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from fusion_ops.errors import RunError
from spaces.tied import completed

__all__ = ["REMOVED", "load_tensors", "load_weights", "removed_for"]

REMOVED = "model.removed"


def load_tensors(path: Path, what: str) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file.

    Args:
        path: The file.
        what: What it is, for the message.

    Raises:
        RunError: It is missing or damaged.
    """
    try:
        return load_file(path)
    except FileNotFoundError:
        raise RunError(f"{path}, {what}, is missing.") from None
    except (SafetensorError, OSError, ValueError) as error:
        raise RunError(f"{path}, {what}, is damaged: {error}.") from None


def removed_for(path: Path) -> str | None:
    """Return what the weights of a candidate were removed for; `None` where they are, or are missing without a note.

    Args:
        path: Where the weights of the candidate are, or were.
    """
    note = path.with_name(REMOVED)
    return note.read_text(encoding="utf-8") if note.is_file() and not path.exists() else None


def load_weights(model: nn.Module, path: Path) -> None:
    """Give a network the weights of a checkpoint, all of them and no others; tied ones are in it once.

    Raises:
        RunError: The file is missing or damaged, or a tensor is missing, superfluous or of another shape.
    """
    expected = model.state_dict()
    state = completed(load_tensors(path, "the weights of the candidate"), expected)
    _check(expected, state, path)
    model.load_state_dict(state)


def _check(expected: Mapping[str, Tensor], found: Mapping[str, Tensor], path: Path) -> None:
    for name in sorted(expected.keys() | found.keys()):
        wanted, got = (_described(state.get(name)) for state in (expected, found))
        if wanted != got:
            raise RunError(f"{path} does not fit the architecture: `{name}` must be {wanted}, and is {got}.")


def _described(tensor: Tensor | None) -> str:
    return "absent" if tensor is None else f"{tensor.dtype} {tuple(tensor.shape)}".removeprefix("torch.")
