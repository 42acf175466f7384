"""A worker's device: how much of a shared GPU's memory is its own, how that is given back, and whether it answers."""

from __future__ import annotations

import gc

import torch

__all__ = ["free_memory", "is_lost", "limit_memory", "memory_share"]


def memory_share(gpus: float) -> float | None:
    """Return the share of a GPU's memory that a worker may take; `None` where it need not share.

    Args:
        gpus: GPUs of a worker, as `ray.gpus_per_trial` resolves; a fraction shares one.
    """
    return gpus if 0 < gpus < 1 else None


def limit_memory(device: torch.device, gpus: float) -> None:
    """Keep this process within its share of a GPU: beyond it, PyTorch is out of memory, and its neighbors are not.

    Args:
        device: The worker's device; nothing happens on a CPU.
        gpus: GPUs of a worker.
    """
    share = memory_share(gpus)
    if device.type == "cuda" and share is not None:
        torch.cuda.set_per_process_memory_fraction(share)


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
