"""Latency of every operator and resampler of a space, each measured alone, before anything is trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from itertools import product
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import fusion_ops
from fusion_ops import FusionChoice, Upsampling
from fusion_ops.errors import MeasurementError, described
from reports.runtimes import runtime_named
from reports.runtimes.torch_compiled import TorchCompiled
from reports.runtimes.torch_eager import TorchEager
from search.training.device import PLANAR, free_memory, is_lost, memory_format, place
from search.training.measuring.latency import in_runtime, runs_on, timed
from search.training.settings import LatencyConfig
from spaces import Architecture, SearchSpace
from spaces.latency import LatencyTable, Operator, Part, operators

__all__ = ["DeviceTimer", "beyond", "measured_table"]

Measure = Callable[[Part | Architecture, str], float | None]
SHARE = 0.1
ROUNDS = 3
BLOCKS = 2
NETWORKS = 4
TRIES = 8


class _ToSize(nn.Module):
    """A resampler that brings every map to one size."""

    def __init__(self, resampler: nn.Module, size: tuple[int, ...]) -> None:
        super().__init__()
        self.resampler, self.size = resampler, size

    def forward(self, x: Tensor) -> Tensor:
        """Return the map at that size."""
        resampled: Tensor = self.resampler(x, self.size)
        return resampled


class DeviceTimer:
    """Times operators and networks in a runtime, from this process; the caller holds the device meanwhile.

    PyTorch's are timed on the device of the run, in the memory order and precision that maps have in a network there;
    those of all other runtimes on the CPU. Maps are random. In all rounds together an operator is measured for a tenth
    of the time that a network is, but in two blocks a round at least. What was converted stays converted for the next
    round, until `close`. What PyTorch has compiled does not outlast the next compilation: that is measured for all
    rounds at once.
    """

    def __init__(self, space: SearchSpace, device: torch.device, protocol: LatencyConfig) -> None:
        self._space, self._protocol = space, protocol
        self._runtime = runtime_named(protocol.runtime)
        self._device = runs_on(self._runtime, device)
        self._converted, self._held = dict[Part, Callable[[], object]](), ExitStack()
        self._compiled = isinstance(self._runtime, TorchCompiled)
        self._known = dict[Part, float]()

    @property
    def device(self) -> str:
        """Name of the device."""
        return torch.cuda.get_device_name(self._device) if self._device.type == "cuda" else "cpu"

    def close(self) -> None:
        """Let go of what was converted."""
        self._converted.clear()
        self._held.close()

    def time(self, what: Part | Architecture) -> float | str:
        """Return the median time of an operator or a network in milliseconds, or why it cannot be measured.

        Raises:
            MeasurementError: The device answers no more.
        """
        if not isinstance(what, Architecture) and what in self._known:
            return self._known[what]
        try:
            with ExitStack() as held:
                found = self._measured(what, self._ready(what, held))
            if not isinstance(what, Architecture) and self._compiled:
                self._known[what] = found
            return found
        except Exception as error:
            reason = described(error)
        if is_lost(self._device):
            raise MeasurementError(f"the device answers no more: {reason}")
        free_memory(self._device)
        return reason

    def _measured(self, what: Part | Architecture, run: Callable[[], object]) -> float:
        seconds, blocks = self._protocol.seconds, BLOCKS
        if not isinstance(what, Architecture):
            rounds = ROUNDS if self._compiled else 1
            seconds, blocks = seconds * SHARE * rounds / ROUNDS, BLOCKS * rounds
        return timed(run, threads=self._protocol.threads, seconds=seconds, blocks=blocks, tries=1).median

    def _ready(self, what: Part | Architecture, held: ExitStack) -> Callable[[], object]:
        """Return a function that runs an operator or a network once.

        An operator of another runtime than PyTorch stays converted; whatever else lives as long as `held`.
        """
        if isinstance(what, Architecture):
            return held.enter_context(self._in_runtime(*self._network(what)))
        if isinstance(self._runtime, TorchEager):
            return held.enter_context(self._in_runtime(*self._part(what)))
        if what not in self._converted:
            self._converted[what] = self._held.enter_context(self._in_runtime(*self._part(what)))
        return self._converted[what]

    def _in_runtime(self, module: nn.Module, maps: list[Tensor]) -> AbstractContextManager[Callable[[], object]]:
        return in_runtime(place(module, self._device), maps, self._protocol, calibration=[maps])

    def _part(self, operator: Part) -> tuple[nn.Module, list[Tensor]]:
        dtype = torch.bfloat16 if self._device.type == "cuda" else torch.float32
        if isinstance(operator, Upsampling):
            resampler = _ToSize(operator.recipe().build(), operator.after)
            return resampler, [self._map(operator.channels, operator.before, dtype)]
        shapes = zip(operator.in_channels, operator.sizes, strict=True)
        maps = [self._map(channels, size, dtype) for channels, size in shapes]
        dims = len(operator.sizes[0])
        return fusion_ops.build(operator.choice, operator.in_channels, operator.out_channels, dims=dims), maps

    def _network(self, architecture: Architecture) -> tuple[nn.Module, list[Tensor]]:
        host = self._space.host
        images = self._map(host.in_channels, host.input_size, torch.float32)
        batch = self._protocol.batch_size
        others = [torch.randn(batch, *shape, device=self._device) for shape in host.other_shapes]
        return self._space.build(architecture), [images, *others]

    def _map(self, channels: int, size: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        shape = self._protocol.batch_size, channels, *size
        tensor = torch.randn(shape, dtype=dtype, device=self._device)
        order: Any = {"memory_format": memory_format(self._device)}
        return tensor.to(**order) if tensor.ndim == PLANAR else tensor  # others have no such order


def measured_table(
    space: SearchSpace,
    protocol: LatencyConfig,
    device: str,
    time: Callable[[Part | Architecture], float | str],
    show: Callable[[str], None],
) -> tuple[LatencyTable, dict[str, str]]:
    """Measure every operator of a space, then a few networks for the rest.

    Operators are measured in three rounds, so that what disturbs the device for a moment hits none of them alone.
    The rest of the network is the median of what the latencies of four random networks exceed the sums of their
    operators by. `time` measures on the device of that name, as `DeviceTimer.time` does; `show` is called with what is
    measured next.

    Returns:
        The table, and what could not be measured, with the reason.

    Raises:
        MeasurementError: At some point no operator could be measured, or no network.
    """
    failed: dict[str, str] = {}

    def measure(what: Part | Architecture, shown: str) -> float | None:
        show(shown)
        found = time(what)
        if isinstance(found, str):
            failed[f"network {what.id}" if isinstance(what, Architecture) else str(what)] = found
            return None
        return found

    table = LatencyTable(0.0, _operator_times(operators(space), measure), device, protocol.model_dump(mode="json"))
    return replace(table, rest=max(median(_rests(space, table, measure)), 0.0)), failed


def beyond(
    plain: FusionChoice, wanted: Mapping[str, Operator], time: Callable[[Operator], float | str]
) -> dict[str, float]:
    """Return by how many milliseconds operators take longer than a plain one of the same shapes, each timed alone.

    `time` measures as `DeviceTimer.time` does. What cannot be timed is left out.

    Args:
        plain: The plain one.
        wanted: The operators, by any name.
        time: Measures one.

    Raises:
        MeasurementError: The device answers no more.
    """

    def measure(what: Part | Architecture, _shown: str) -> float | None:
        found = time(what) if isinstance(what, Operator) else None
        return None if isinstance(found, str) else found

    plainly = {name: replace(one, choice=plain) for name, one in wanted.items()}
    times = _operator_times(tuple(dict.fromkeys([*wanted.values(), *plainly.values()])), measure)
    taken = {name: (times[one], times[plainly[name]]) for name, one in wanted.items()}
    return {name: own - least for name, (own, least) in taken.items() if own is not None and least is not None}


def _operator_times(wanted: tuple[Part, ...], measure: Measure) -> dict[Part, float | None]:
    """Return the median time of each operator; one that fails is not tried again."""
    rounds: dict[Part, list[float]] = {operator: [] for operator in wanted}
    for number, (_, operator) in enumerate(product(range(ROUNDS), wanted)):
        if operator in rounds:
            percent = number * 100 // (ROUNDS * len(wanted))
            ms = measure(operator, f"operators, {percent} %: {operator}")
            if ms is None:
                del rounds[operator]
            else:
                rounds[operator].append(ms)
    return {operator: median(rounds[operator]) if operator in rounds else None for operator in wanted}


def _rests(space: SearchSpace, table: LatencyTable, measure: Measure) -> list[float]:
    """Return what the latencies of random networks exceed the sums of their operators by."""
    rng = np.random.default_rng(0)
    rests: list[float] = []
    for _ in range(TRIES):
        architecture = _drawn(space, table, rng)
        ms = measure(architecture, f"network {len(rests) + 1} of {NETWORKS}")
        if ms is not None:
            rests.append(ms - table.predict(architecture, space))
        if len(rests) == NETWORKS:
            break
    if not rests:
        raise MeasurementError("no network of the space could be measured")
    return rests


def _drawn(space: SearchSpace, table: LatencyTable, rng: np.random.Generator) -> Architecture:
    """Return a random architecture of operators that could be measured."""
    chosen: dict[str, FusionChoice] = {}
    for slot in space.slots:
        able = [c for c in slot.choices if all(table.measured(p, slot.at(p, c)) for p in slot.points)]
        if not able:
            raise MeasurementError(f"no operator could be measured at {slot.name}")
        choice = able[rng.integers(len(able))]
        chosen |= {point.name: slot.at(point, choice) for point in slot.points}
    return Architecture(space.ref, tuple((point.name, chosen[point.name]) for point in space.points))
