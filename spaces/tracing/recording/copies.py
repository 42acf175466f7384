"""Copies of a network: whole, on the meta device, and with the same tensors."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn
from torch.nn.parameter import UninitializedBuffer

__all__ = ["copied", "on_meta", "sharing", "uncompiled"]


def copied(model: nn.Module) -> nn.Module:
    """Return a copy of a network, without gradients.

    What a pass has left in it, such as the weight that weight normalisation computes, becomes a plain tensor.
    """
    memo: dict[int, object] = {}
    for buffer in model.buffers():
        if isinstance(buffer, UninitializedBuffer):  # knows no copy of itself, as a parameter does
            memo[id(buffer)] = UninitializedBuffer().to(buffer.device, buffer.dtype)
    for module in model.modules():
        for value in vars(module).values():
            if isinstance(value, Tensor) and not value.is_leaf:
                memo[id(value)] = value.detach().clone()
    return copy.deepcopy(model, memo)


def on_meta(model: nn.Module) -> nn.Module:
    """Return a copy of a network on the meta device; no weight is copied."""
    memo: dict[int, Any] = {}
    for tensor in _tensors(model):
        moved = tensor.detach().to("meta")
        memo[id(tensor)] = nn.Parameter(moved, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else moved
    return copy.deepcopy(model, memo)


def sharing(model: nn.Module) -> nn.Module:
    """Return a copy of a network's modules that has the same tensors."""
    return copy.deepcopy(model, {id(tensor): tensor for tensor in _tensors(model)})


def uncompiled(model: nn.Module) -> nn.Module:
    """Return a network without the wrappers of `torch.compile`; the network that is given keeps its own.

    Where there is no such wrapper, it is the very network.
    """
    if not any(hasattr(module, "_orig_mod") for module in model.modules()):
        return model
    plain = copy.deepcopy(_original(model))
    for module in list(plain.modules()):
        for name, child in module.named_children():
            setattr(module, name, _original(child))
    return plain


def _original(module: nn.Module) -> nn.Module:
    original = getattr(module, "_orig_mod", None)
    return original if isinstance(original, nn.Module) else module


def _tensors(model: nn.Module) -> Iterator[Tensor]:
    yield from model.parameters()
    yield from model.buffers()
    for module in model.modules():
        yield from (value for value in vars(module).values() if isinstance(value, Tensor))
