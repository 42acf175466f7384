"""A worker's process and its device: what is set up first, how networks lie on the device, whether it answers."""

from __future__ import annotations

import gc
import math
import pickle

import torch
from torch import Tensor, nn

import fusion_ops
from fusion_ops.errors import ConfigError
from search.training.job import Job
from search.training.user_objectives import declare_objective
from spaces.importing import import_modules, is_reference, make_importable, receive

__all__ = [
    "PLANAR",
    "evaluated_together",
    "free_memory",
    "is_lost",
    "limit_memory",
    "memory_format",
    "place",
    "precision",
    "prepare",
    "resolve_device",
]


PLANAR = 4
# Images that a CPU evaluates together, up to so many pixels: with fewer, calls take the time, with more, memory does.
TOGETHER, PIXELS = 128, 2**17


def prepare(job: Job) -> torch.device:
    """Make this process a worker of a run, and return its device.

    Raises:
        ConfigError: `train.device` is cuda on a machine where PyTorch sees no GPU.
        SpecError: The user's code cannot be imported.
    """
    make_importable(*job.folders)
    # Only what the driver of this very run has pickled.
    receive({reference: pickle.loads(code) for reference, code in job.sent.items()})  # noqa: S301
    import_modules(job.imports)
    for name in filter(is_reference, job.objectives):
        declare_objective(name)
    device = resolve_device(job.train.device)
    limit_memory(device, job.gpus)
    fusion_ops.compiled(job.train.compile == "ops")
    torch.set_num_threads(max(1, int(job.cpus)))
    return device


def resolve_device(name: str) -> torch.device:
    """Return the device that `train.device` means; `auto` is a GPU where there is one.

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
    planar = all(parameter.ndim <= PLANAR for parameter in model.parameters())  # maps of volumes have another order
    order = {"memory_format": memory_format(device)} if planar else {}
    placed: nn.Module = model.to(device=device, **order)  # type: ignore[call-overload]
    return placed


def precision(device: torch.device) -> torch.autocast:
    """Return the context in which a network runs there: bf16 mixed precision on a GPU, float32 on a CPU."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=device.type == "cuda")


def evaluated_together(images: Tensor, batch_size: int) -> int:
    """Return how many images a network is evaluated on at once: a batch or, where a CPU's are small and few, more.

    Args:
        images: Images on their device: `(B, C, H, W)`.
        batch_size: As many as the network was trained on at once.
    """
    pixels = math.prod(images.shape[2:])
    return max(batch_size, min(TOGETHER, PIXELS // pixels)) if images.device.type == "cpu" else batch_size


def limit_memory(device: torch.device, gpus: float) -> None:
    """Keep this process within its fraction of a GPU: beyond, PyTorch is out of memory, and its neighbors are not."""
    if device.type == "cuda" and 0 < gpus < 1:
        torch.cuda.set_per_process_memory_fraction(gpus)


def free_memory(device: torch.device) -> None:
    """Give back what nothing refers to any more: cycles of objects, then the GPU memory that PyTorch keeps."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()


def is_lost(device: torch.device) -> bool:
    """Return whether a GPU answers this process no more, as after a failed assertion in a kernel.

    Nothing but another process helps then. A CPU is never lost.
    """
    if device.type != "cuda":
        return False
    try:
        torch.cuda.synchronize(device)
    except RuntimeError:
        return True
    return False
