"""Tensors that several names of a network share: written once, and shared again when they are read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

__all__ = ["completed", "distinct", "tied"]


def tied(state: Mapping[str, Tensor]) -> dict[str, str]:
    """Return, for every name whose tensor has an earlier name, that name.

    Args:
        state: Tensors by name, such as `network.state_dict()`.
    """
    first: dict[Any, str] = {}
    names = {name: first.setdefault(_identity(name, tensor), name) for name, tensor in state.items()}
    return {name: earlier for name, earlier in names.items() if name != earlier}


def distinct(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a state without names whose tensor has an earlier name.

    All tensors are contiguous, and none is a view of another's memory, as a safetensors file wants them.
    """
    memory: set[int] = set()
    found: dict[str, Tensor] = {}
    left_out = tied(state)
    for name in (name for name in state if name not in left_out):
        tensor, storage = state[name], state[name].untyped_storage().data_ptr()
        found[name] = (tensor.clone() if storage in memory else tensor).contiguous()
        memory.add(storage)
    return found


def completed(state: Mapping[str, Tensor], of: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a state with the names that `distinct` left out.

    Args:
        state: What `distinct` returned.
        of: The state of the network that it is for.
    """
    missing = {name: earlier for name, earlier in tied(of).items() if name not in state and earlier in state}
    return dict(state) | {name: state[earlier] for name, earlier in missing.items()}


def _identity(name: str, tensor: Tensor) -> Any:
    """Return what two names of one tensor have in common; a tensor without values shares nothing."""
    if not tensor.numel() or tensor.is_meta:
        return name
    return tensor.data_ptr(), tensor.dtype, tuple(tensor.shape), tensor.stride(), tensor.device
