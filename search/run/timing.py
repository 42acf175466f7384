"""How long networks of a run take for inference on this machine, by the run's own protocol."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import torch
from torch import Tensor, nn

from reports.exporting.simplify import Timed
from reports.run import read_config
from reports.runtimes import runtime_named
from search.config import SearchConfig
from search.run.environment import describe_environment
from search.study.run_directory import RunDirectory
from search.training import data
from search.training.device import place, resolve_device
from search.training.loop import DeviceData
from search.training.measuring.calibration import calibration_images
from search.training.measuring.device_lock import device_alone
from search.training.measuring.latency import in_runtime, runs_on, timed
from search.training.settings import LatencyConfig

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
        images = calibration_images(loaded) if protocol.precision == "int8" else ()
        found = _taking_turns(placed, inputs, protocol, images)
        for network in placed:
            place(network, torch.device("cpu"))
        hardware = {key: value for key, value in describe_environment().items() if key in HARDWARE}
        measured = {
            "device": device.type,
            "runtime": protocol.runtime,
            "batch_size": protocol.batch_size,
            "threads": protocol.threads,
        }
        return Timed(found[0], found[1], measured | {"hardware": hardware})

    return time


def _taking_turns(
    networks: Sequence[nn.Module], inputs: Sequence[Tensor], protocol: LatencyConfig, images: Sequence[Sequence[Tensor]]
) -> list[float]:
    """Return the median time of each network in milliseconds."""
    device = runs_on(runtime_named(protocol.runtime), inputs[0].device)
    seconds = protocol.seconds / ROUNDS
    with ExitStack() as held:
        runs = [held.enter_context(in_runtime(network, inputs, protocol, images)) for network in networks]
        held.enter_context(device_alone(device))
        rounds = [[timed(run, threads=protocol.threads, seconds=seconds).median for run in runs] for _ in range(ROUNDS)]
    return [median(times) for times in zip(*rounds, strict=True)]
