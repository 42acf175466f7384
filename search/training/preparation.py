"""What a worker does before anything else: the user's code, the device and its share, threads."""

from __future__ import annotations

import torch

import fusion_ops
from search.training.device import limit_memory, resolve_device
from search.training.job import Job
from search.training.user_objectives import declare_objective
from spaces.importing import import_modules, is_reference, make_importable

__all__ = ["prepare"]


def prepare(job: Job) -> torch.device:
    """Make this process a worker of a run, and return its device.

    Raises:
        ConfigError: `train.device` is cuda on a machine where PyTorch sees no GPU.
        SpecError: The user's code cannot be imported.
    """
    make_importable(*job.folders)
    import_modules(job.imports)
    for name in filter(is_reference, job.objectives):
        declare_objective(name)
    device = resolve_device(job.train.device)
    limit_memory(device, job.gpus)
    fusion_ops.compiled(job.train.compile == "ops")
    torch.set_num_threads(max(1, int(job.cpus)))
    return device
