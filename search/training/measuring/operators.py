"""Latency of every operator of a space, each measured alone, before anything is trained."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from statistics import median
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

import fusion_ops
from fusion_ops import FusionChoice
from fusion_ops.errors import MeasurementError
from search.training.device import free_memory, is_lost, memory_format, place
from search.training.measuring.device_lock import own_lock
from search.training.measuring.latency import measure_latency
from search.training.settings import LatencyConfig
from spaces import Architecture, SearchSpace
from spaces.latency import LatencyTable, Operator, operators

__all__ = ["DeviceTimer", "OperatorTimer", "Timing", "device_timer", "measured_table"]

SHARE = 0.1
ROUNDS = 3
BLOCKS = 2
NETWORKS = 4
TRIES = 8


@dataclass(frozen=True, slots=True)
class Timing:
    """What became of one measurement.

    Args:
        ms: Median time in milliseconds; `None` where it could not be measured.
        reason: Why not.
    """

    ms: float | None
    reason: str = ""


class OperatorTimer(Protocol):
    """Times operators and networks on a device, here or on another machine."""

    def device(self) -> str:
        """Return the name of the device."""

    def operator(self, operator: Operator) -> Timing:
        """Time one operator alone."""

    def network(self, architecture: Architecture) -> Timing:
        """Time a whole network."""


class DeviceTimer:
    """Times on a device of this process; the caller sees to it that nothing else uses it.

    Maps are random, in the memory order and precision that they have in a network on that device. In all rounds
    together an operator is measured for a tenth of the time that a network is, but in two blocks a round at least.

    Args:
        space: The search space.
        device: The device.
        protocol: How inference is timed.
    """

    def __init__(self, space: SearchSpace, device: torch.device, protocol: LatencyConfig) -> None:
        self._space, self._device, self._protocol = space, device, protocol

    def device(self) -> str:
        """Return the name of the device."""
        return torch.cuda.get_device_name(self._device) if self._device.type == "cuda" else "cpu"

    def operator(self, operator: Operator) -> Timing:
        """Time one operator alone."""
        dtype = torch.bfloat16 if self._device.type == "cuda" else torch.float32

        def build() -> tuple[nn.Module, list[Tensor]]:
            maps = [
                self._map(channels, size, dtype)
                for channels, size in zip(operator.in_channels, operator.sizes, strict=True)
            ]
            return fusion_ops.build(operator.choice, operator.in_channels, operator.out_channels), maps

        return self._timed(build, self._protocol.seconds * SHARE / ROUNDS)

    def network(self, architecture: Architecture) -> Timing:
        """Time a whole network."""
        host = self._space.host

        def build() -> tuple[nn.Module, list[Tensor]]:
            return self._space.build(architecture), [self._map(host.in_channels, host.input_size, torch.float32)]

        return self._timed(build, self._protocol.seconds)

    def _timed(self, build: Callable[[], tuple[nn.Module, list[Tensor]]], seconds: float) -> Timing:
        """Return how long the inference of what `build` returns takes: module and inputs.

        Raises:
            MeasurementError: The device answers no more.
        """
        try:
            module, inputs = build()
            threads = self._protocol.threads
            timed = measure_latency(
                place(module, self._device), *inputs, threads=threads, seconds=seconds, blocks=BLOCKS
            )
            return Timing(timed.median)
        except Exception as error:
            reason = f"{type(error).__name__}: {(str(error).strip().splitlines() or ['no reason given'])[0]}"
        if is_lost(self._device):
            raise MeasurementError(f"the device answers no more: {reason}")
        free_memory(self._device)
        return Timing(None, reason)

    def _map(self, channels: int, size: tuple[int, int], dtype: torch.dtype) -> Tensor:
        shape = self._protocol.batch_size, channels, *size
        order: Any = {"memory_format": memory_format(self._device)}
        return torch.randn(shape, dtype=dtype, device=self._device).to(**order)


def measured_table(
    space: SearchSpace, timer: OperatorTimer, protocol: LatencyConfig, tell: Callable[[str, str], None]
) -> LatencyTable:
    """Measure every operator of a space, then a few networks for the rest.

    Operators are measured in three rounds, so that what disturbs the device for a moment hits none of them alone.
    The rest of the network is the median of what the latencies of four random networks exceed the sums of their
    operators by. What cannot run is told and left out.

    Args:
        space: The search space.
        timer: Measures.
        protocol: How it does.
        tell: Called with what is measured next and an empty text, or with what could not be measured and why.

    Raises:
        MeasurementError: At some point no operator could be measured, or no network.
    """
    times = _times(operators(space), timer, tell)
    table = LatencyTable(0.0, times, timer.device(), protocol.model_dump())
    rests = _rests(space, table, timer, tell)
    return LatencyTable(max(median(rests), 0.0), times, table.device, table.protocol)


def _times(
    wanted: tuple[Operator, ...], timer: OperatorTimer, tell: Callable[[str, str], None]
) -> dict[Operator, float | None]:
    """Return the median over the rounds of each operator's time; `None` for one that failed once."""
    times: dict[Operator, list[float]] = {operator: [] for operator in wanted}
    failed = set()
    for number, (_, operator) in enumerate(product(range(ROUNDS), wanted)):
        if operator in failed:
            continue
        tell(f"operators, {number * 100 // (ROUNDS * len(wanted))} %: {operator}", "")
        timing = timer.operator(operator)
        if timing.ms is None:
            failed.add(operator)
            tell(str(operator), timing.reason)
        else:
            times[operator].append(timing.ms)
    return {operator: None if operator in failed else median(times[operator]) for operator in wanted}


def _rests(
    space: SearchSpace, table: LatencyTable, timer: OperatorTimer, tell: Callable[[str, str], None]
) -> list[float]:
    """Return what the latencies of random networks exceed the sums of their operators by."""
    rng = np.random.default_rng(0)
    rests: list[float] = []
    for _ in range(TRIES):
        architecture = _drawn(space, table, rng)
        tell(f"network {len(rests) + 1} of {NETWORKS}", "")
        timing = timer.network(architecture)
        if timing.ms is None:
            tell(f"network {architecture.id}", timing.reason)
        else:
            rests.append(timing.ms - table.predict(architecture, space))
        if len(rests) == NETWORKS:
            return rests
    if not rests:
        raise MeasurementError("no network of the space could be measured")
    return rests


def _drawn(space: SearchSpace, table: LatencyTable, rng: np.random.Generator) -> Architecture:
    """Return a random architecture of operators that could be measured."""
    chosen: dict[str, FusionChoice] = {}
    for slot in space.slots:
        able = [c for c in slot.choices if all(table.times[Operator.at(p, c)] is not None for p in slot.points)]
        if not able:
            raise MeasurementError(f"no operator could be measured at {slot.name}")
        choice = able[rng.integers(len(able))]
        chosen |= {point.name: choice for point in slot.points}
    return Architecture(space.ref, tuple((point.name, chosen[point.name]) for point in space.points))


@contextmanager
def device_timer(space: SearchSpace, device: torch.device, protocol: LatencyConfig) -> Iterator[DeviceTimer]:
    """Hold a device of this machine alone, and yield what times on it."""
    with own_lock(device).alone():
        yield DeviceTimer(space, device, protocol)
