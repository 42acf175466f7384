"""Layers that take their sizes from the first input."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy as _has_no_size

__all__ = ["is_lazy", "materialize"]


def is_lazy(network: nn.Module) -> bool:
    """Return whether a network has layers without sizes."""
    tensors = (*network.parameters(), *network.buffers())
    return any(_has_no_size(tensor) for tensor in tensors)


def materialize(network: nn.Module, inputs: Sequence[Tensor]) -> nn.Module:
    """Give all layers their sizes by a pass of these inputs, and return the network; statistics stay as they are.

    Args:
        network: The network; it is changed, and returned if it has no such layer.
        inputs: What it takes, two images or more.

    Raises:
        ValueError: The pass does not reach a layer.
    """
    lazy = {name: module for name, module in network.named_modules() if _is_lazy_itself(module)}
    modes = {module: module.training for module in network.modules()}
    for training in (False, True):
        if is_lazy(network):
            _pass(network.train(training), inputs)
    for module, training in modes.items():
        module.training = training
    for name, module in lazy.items():
        if is_lazy(module):
            raise ValueError(f"`{name}` has no sizes even after a pass; `forward` does not call it")
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d):
            module.reset_running_stats()
    return network


def _pass(network: nn.Module, inputs: Sequence[Tensor]) -> None:
    known = [buffer for buffer in network.buffers() if not _has_no_size(buffer)]
    before = [buffer.clone() for buffer in known]
    with torch.no_grad():
        network(*inputs)
        for buffer, value in zip(known, before, strict=True):
            buffer.copy_(value)


def _is_lazy_itself(module: nn.Module) -> bool:
    tensors = (*module.parameters(recurse=False), *module.buffers(recurse=False))
    return any(_has_no_size(tensor) for tensor in tensors)
