"""Latency: how long inference takes in a runtime, as the median of many runs."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from reports.measures import DRIFT, INT8, MEASURES
from reports.runtimes import Runtime, runtime_named
from reports.runtimes.torch_eager import TorchEager
from search.training.device import place
from search.training.settings import LatencyConfig, Precision
from search.training.watchdog import remove_pulses

if TYPE_CHECKING:
    from torch.utils.benchmark import Measurement

__all__ = ["Latency", "first_timed", "in_runtime", "measure_latency", "require_runtime", "runs_on", "timed"]

WARM_UP = 3
BLOCKS = 4
SECOND = 1e3
Calibration = Sequence[Sequence[Tensor]]


@dataclass(frozen=True, slots=True)
class Latency:
    """What was timed.

    Args:
        median: Median time of a batch in milliseconds.
        iqr: Interquartile range of the times in milliseconds.
        drift: By what share of the median the medians of its blocks differ: greatest less least.
    """

    median: float
    iqr: float
    drift: float = 0.0

    @property
    def drifts(self) -> bool:
        """Whether it changed while it was measured, beyond `DRIFT`."""
        return self.drift > DRIFT


def runs_on(runtime: Runtime, device: torch.device) -> torch.device:
    """Return where networks of a run whose device this is are timed: PyTorch's there, all others on the CPU."""
    return device if isinstance(runtime, TorchEager) else torch.device("cpu")


def first_timed(protocol: LatencyConfig, objectives: Iterable[str]) -> LatencyConfig:
    """Return how the first objective that is a latency is timed; the protocol itself where none is."""
    measures = (MEASURES[name] for name in objectives)
    return protocol.at(next((measure.place for measure in measures if measure.base == "latency"), ""))


def require_runtime(runtime: Runtime, precision: Precision) -> None:
    """Check that all is installed by which a runtime is timed in a precision.

    Raises:
        RunError: It is not; the message has the command that installs it.
    """
    if precision == INT8:
        runtime.require_int8()
    else:
        runtime.require()


@contextmanager
def in_runtime(
    model: nn.Module, inputs: Sequence[Tensor], protocol: LatencyConfig, calibration: Calibration = ()
) -> Iterator[Callable[[], object]]:
    """Give a function that runs a network on one batch in the runtime of a protocol, converted and run once.

    The network is a copy in evaluation mode, without the pulse of its training.

    Args:
        model: The network.
        inputs: One batch `(B, C, H, W)` each, on the device of the network.
        protocol: Runtime, precision and threads.
        calibration: For int8, batches of training images.

    Raises:
        Exception: Whatever the runtime raises where it cannot run the network.
    """
    runtime, plain = runtime_named(protocol.runtime), copy.deepcopy(model).eval()
    device = runs_on(runtime, inputs[0].device)
    remove_pulses(plain)
    moved = [one.to(device) for one in inputs]
    precision: Precision = protocol.precision
    with ExitStack() as held:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what converters say of calls of their own
            ready = runtime.ready(
                place(plain, device), moved, threads=protocol.threads, precision=precision, calibration=calibration
            )
            run = held.enter_context(ready)
            run()
        yield run


def timed(run: Callable[[], object], *, threads: int, seconds: float, blocks: int = BLOCKS, tries: int = 3) -> Latency:
    """Time what `in_runtime` gives; the caller sees to it that nothing else uses the device.

    `torch.utils.benchmark.Timer` runs it again and again, waits for a GPU around each block of runs, and sets PyTorch's
    CPU threads. Where the blocks' medians drift apart by more than a tenth, something else slowed the machine down, or
    its clock changed: it is measured again, and the steadiest measurement counts.

    Args:
        run: The function.
        threads: CPU threads of PyTorch; the runtime has its own.
        seconds: Shortest time of a measurement.
        blocks: Into how many blocks it is split.
        tries: How often it is measured at most.
    """
    from torch.utils.benchmark import Timer  # imports setuptools

    found: list[Latency] = []
    timer = Timer("run()", globals={"run": run}, num_threads=threads)
    timer.timeit(WARM_UP)
    while not found or (found[-1].drifts and len(found) < tries):
        found.append(_summary([timer.blocked_autorange(min_run_time=seconds / blocks) for _ in range(blocks)]))
    return min(found, key=lambda latency: latency.drift)


def measure_latency(model: nn.Module, *inputs: Tensor, protocol: LatencyConfig) -> Latency:
    """Bring a network into the runtime of a protocol and time it there, while the caller holds the device.

    In int8 its ranges are calibrated on the batch itself.

    Raises:
        Exception: Whatever the runtime raises where it cannot run the network.
    """
    with in_runtime(model, inputs, protocol, calibration=[inputs]) as run:
        return timed(run, threads=protocol.threads, seconds=protocol.seconds)


def _summary(parts: Sequence[Measurement]) -> Latency:
    from torch.utils.benchmark import Measurement

    medians = [part.median for part in parts]
    task = parts[0].task_spec
    whole = Measurement(1, [time for part in parts for time in part.times], task)
    return Latency(whole.median * SECOND, whole.iqr * SECOND, (max(medians) - min(medians)) / median(medians))
