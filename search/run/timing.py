"""How long networks of a run take for inference on this machine, by the run's own protocol."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch
from torch import nn

from reports.exporting.simplify import Timed
from reports.run import read_config
from search.config import SearchConfig
from search.run.environment import describe_environment
from search.study.run_directory import RunDirectory
from search.training import data
from search.training.device import place, resolve_device
from search.training.loop import DeviceData
from search.training.measuring.device_lock import device_alone
from search.training.measuring.latency import measure_latency

__all__ = ["timing"]

ROUNDS = 3
HARDWARE = ("cpu", "cpus", "gpus")


def timing(run_dir: str | Path) -> Callable[[nn.Module, nn.Module], Timed]:
    """Return a function that times two networks on validation images, on this machine.

    They take turns, so that what disturbs the device for a moment hits neither of them alone.

    Raises:
        RunError: There is no run there that this version can read.
    """
    read_config(run_dir)
    config = SearchConfig.load(RunDirectory(run_dir).config)

    def time(before: nn.Module, after: nn.Module) -> Timed:
        device, protocol = resolve_device(config.train.device), config.latency
        loaded = DeviceData(data.load(config.data), device)
        picked = torch.arange(protocol.batch_size, device=device) % len(loaded.validation_images)
        inputs = loaded.normalize(loaded.validation_images[picked]), *(o[picked] for o in loaded.validation_others)
        placed = [place(network.eval(), device) for network in (before, after)]
        seconds, rounds = protocol.seconds / ROUNDS, []
        with device_alone(device):
            for _ in range(ROUNDS):
                timed = (measure_latency(one, *inputs, threads=protocol.threads, seconds=seconds) for one in placed)
                rounds.append([latency.median for latency in timed])
        for network in placed:
            place(network, torch.device("cpu"))
        found = [median(times) for times in zip(*rounds, strict=True)]
        hardware = {key: value for key, value in describe_environment().items() if key in HARDWARE}
        measured = {"device": device.type, "batch_size": protocol.batch_size, "threads": protocol.threads}
        return Timed(found[0], found[1], measured | {"hardware": hardware})

    return time
