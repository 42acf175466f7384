"""Latency: how long inference takes, as the median of many runs."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain

import torch
from torch import Tensor, nn
from torch.utils.benchmark import Measurement, Timer

from search.training.device import precision

__all__ = ["Latency", "measure_latency"]

WARM_UP = 3
SECOND = 1e3


@dataclass(frozen=True, slots=True)
class Latency:
    """What was timed.

    Args:
        median: Median time of a batch in milliseconds.
        iqr: Interquartile range of the times in milliseconds.
    """

    median: float
    iqr: float


def measure_latency(model: nn.Module, *inputs: Tensor, threads: int, seconds: float, blocks: int = 1) -> Latency:
    """Time the inference of `model` on one batch.

    `torch.utils.benchmark.Timer.blocked_autorange` times blocks of runs, waits for the device around each,
    and sets the CPU threads. The network is a copy in evaluation mode; on a GPU it runs in bf16 mixed
    precision, as it does in the search. The caller sees to it that nothing else uses the device.

    Args:
        model: The network, on the device of its inputs.
        *inputs: One batch `(B, C, H, W)` each.
        threads: CPU threads.
        seconds: Shortest time that is measured.
        blocks: Fewest blocks that are measured.
    """
    timed = copy.deepcopy(model).eval()
    with torch.inference_mode(), precision(inputs[0].device), _cudnn_benchmark():
        timer = Timer("model(*inputs)", globals={"model": timed, "inputs": inputs}, num_threads=threads)
        timer.timeit(WARM_UP)
        result = timer.blocked_autorange(min_run_time=seconds)
        further = [timer.timeit(result.number_per_run).raw_times for _ in range(blocks - len(result.raw_times))]
        result = Measurement(result.number_per_run, [*result.raw_times, *chain(*further)], result.task_spec)
    return Latency(result.median * SECOND, result.iqr * SECOND)


@contextmanager
def _cudnn_benchmark() -> Iterator[None]:
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = True
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before
