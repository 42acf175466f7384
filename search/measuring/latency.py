"""Latency: how long inference takes, as the median of many runs."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.benchmark import Timer

__all__ = ["Latency", "measure_latency"]

WARM_UP = 3
SECOND = 1e3


@dataclass(frozen=True, slots=True)
class Latency:
    """What was timed.

    Args:
        median: Median time of a batch in milliseconds.
        iqr: Interquartile range of the times in milliseconds.
        runs: Inferences that were timed.
    """

    median: float
    iqr: float
    runs: int


def measure_latency(model: nn.Module, images: Tensor, *, threads: int, seconds: float) -> Latency:
    """Time the inference of `model` on one batch.

    `torch.utils.benchmark.Timer.blocked_autorange` times blocks of runs, waits for the device around each,
    and sets the CPU threads. The network is a copy in evaluation mode; on a GPU it runs in bf16 mixed
    precision, as it does in the search. The caller sees to it that nothing else uses the device.

    Args:
        model: The network, on its device.
        images: One batch `(B, C, H, W)`, float32, on the same device.
        threads: CPU threads.
        seconds: Shortest time that is measured.
    """
    timed = copy.deepcopy(model).eval()
    with torch.inference_mode(), _precision(images.device), _cudnn_benchmark():
        timer = Timer("model(images)", globals={"model": timed, "images": images}, num_threads=threads)
        timer.timeit(WARM_UP)
        result = timer.blocked_autorange(min_run_time=seconds)
    return Latency(result.median * SECOND, result.iqr * SECOND, result.number_per_run * len(result.times))


def _precision(device: torch.device) -> Any:
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=device.type == "cuda")


@contextmanager
def _cudnn_benchmark() -> Iterator[None]:
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = True
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before
