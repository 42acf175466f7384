"""A worker's device: which it is, how networks lie on it, its share of the memory, and whether it answers."""

from __future__ import annotations

import gc

import torch
from torch import nn

from fusion_ops.errors import ConfigError

__all__ = ["free_memory", "is_lost", "limit_memory", "memory_format", "place", "precision", "resolve_device"]


def resolve_device(name: str) -> torch.device:
    """Return the device that `train.device` means.

    Args:
        name: `auto` (a GPU where there is one), `cpu` or `cuda`.

    Raises:
        ConfigError: `cuda` on a machine where PyTorch sees no GPU.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("`train.device` is cuda, but PyTorch sees no GPU here; use auto or cpu.")
    return torch.device(name)


def memory_format(device: torch.device) -> torch.memory_format:
    """Return the memory order of images and weights: channels-last on a GPU, contiguous on a CPU.

    Channels last is faster on CPUs, too, but training in it damages memory there with PyTorch 2.13.
    """
    return torch.channels_last if device.type == "cuda" else torch.contiguous_format


def place(model: nn.Module, device: torch.device) -> nn.Module:
    """Return `model` on the device, its weights in the memory order in which it trains there."""
    placed: nn.Module = model.to(device=device, memory_format=memory_format(device))  # type: ignore[call-overload]
    return placed


def precision(device: torch.device) -> torch.autocast:
    """Return the context in which a network runs there: bf16 mixed precision on a GPU, float32 on a CPU."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=device.type == "cuda")


def limit_memory(device: torch.device, gpus: float) -> None:
    """Keep this process within its share of a GPU: beyond it, PyTorch is out of memory, and its neighbors are not.

    Args:
        device: The worker's device; nothing happens on a CPU.
        gpus: GPUs of a worker, as `ray.gpus_per_trial` resolves; a fraction shares one.
    """
    if device.type == "cuda" and 0 < gpus < 1:
        torch.cuda.set_per_process_memory_fraction(gpus)


def free_memory(device: torch.device) -> None:
    """Give back what nothing refers to any more: cycles of objects, then the GPU memory that PyTorch keeps."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()


def is_lost(device: torch.device) -> bool:
    """Return whether a GPU answers this process no more, as after a failed assertion in a kernel.

    Nothing but another process helps then.

    Args:
        device: The worker's device; a CPU is never lost.
    """
    if device.type != "cuda":
        return False
    try:
        torch.cuda.synchronize(device)
    except RuntimeError:
        return True
    return False
