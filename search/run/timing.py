"""How long networks of a run take for inference on this machine, by the run's own protocol."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import torch
from torch import Tensor, nn

from fusion_ops.errors import RunError, described
from reports.exporting.simplify import Timed
from reports.run.run import read_config
from reports.runtimes import runtime_named
from search.config import SearchConfig
from search.run.environment import describe_environment
from search.study.run_directory import RunDirectory
from search.training import data
from search.training.device import place, resolve_device
from search.training.loop import DeviceData
from search.training.measuring.calibration import calibration_images
from search.training.measuring.device_lock import device_alone
from search.training.measuring.latency import first_timed, in_runtime, require_runtime, runs_on, timed
from search.training.settings import LatencyConfig

__all__ = ["timing"]

ROUNDS = 3
HARDWARE = ("cpu", "cpus", "gpus")


def timing(run_dir: str | Path) -> Callable[[nn.Module, nn.Module], Timed]:
    """Return a function that times two networks on validation images, on this machine.

    They take turns, so that what disturbs the device for a moment hits neither of them alone. The runtime is that of
    the first objective that is a latency. The function raises a `RunError` where that cannot run a network.

    Raises:
        RunError: There is no run there that this version can read, or its runtime is not installed.
    """
    read_config(run_dir)
    config = SearchConfig.load(RunDirectory(run_dir).config)
    protocol = first_timed(config.latency, config.objectives)
    runtime = runtime_named(protocol.runtime)
    require_runtime(runtime, protocol.precision)

    def time(before: nn.Module, after: nn.Module) -> Timed:
        device = resolve_device(config.train.device)
        loaded = DeviceData(data.load(config.data), device)
        picked = torch.arange(protocol.batch_size, device=device) % len(loaded.validation_images)
        inputs = loaded.normalize(loaded.validation_images[picked]), *(o[picked] for o in loaded.validation_others)
        placed = [place(network.eval(), device) for network in (before, after)]
        images = calibration_images(loaded) if protocol.precision == "int8" else ()
        try:
            found = _taking_turns(placed, inputs, protocol, images)
        finally:
            for network in placed:
                place(network, torch.device("cpu"))
        hardware = {key: value for key, value in describe_environment().items() if key in HARDWARE}
        measured = {
            "device": runs_on(runtime, device).type,
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
    runtime, seconds = runtime_named(protocol.runtime), protocol.seconds / ROUNDS
    device = runs_on(runtime, inputs[0].device)
    with ExitStack() as held:
        try:
            runs = [held.enter_context(in_runtime(network, inputs, protocol, images)) for network in networks]
        except Exception as error:
            raise RunError(
                f"latency cannot be measured: {runtime.title} cannot run this network: "
                f"{described(error)}. Export it without `--simplify`."
            ) from error
        held.enter_context(device_alone(device))
        rounds = [[timed(run, threads=protocol.threads, seconds=seconds).median for run in runs] for _ in range(ROUNDS)]
    return [median(times) for times in zip(*rounds, strict=True)]
