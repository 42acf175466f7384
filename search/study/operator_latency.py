"""The latencies of a space's operators, measured for a study that keeps them."""

from __future__ import annotations

from optuna.study import Study

from reports.measures import MEASURES
from reports.runtimes import Precision, runtime_named
from search.strategy.trials import operator_latency
from search.training.device import resolve_device
from search.training.measuring.device_lock import device_alone
from search.training.measuring.latency import require_runtime, runs_on
from search.training.measuring.operators import DeviceTimer, measured_table
from search.training.settings import LatencyConfig
from spaces import SearchSpace
from spaces.latency import LatencyTable

__all__ = ["measure_operators"]


def measure_operators(
    study: Study,
    space: SearchSpace,
    *,
    measure: str = "latency",
    runtime: str = "torch",
    precision: Precision = "float32",
    device: str = "auto",
    batch_size: int = 1,
    threads: int = 1,
    seconds: float = 0.5,
) -> LatencyTable:
    """Measure how long inference of every operator of a space takes, and keep the times in a study.

    The sampler `auto` finds them there and predicts the latency of architectures by them, where the measure is an
    objective. A run of `search.launch` does the same by itself. Measured again, the study keeps the new times; a
    sampler that has begun to learn keeps those that it has.

    Args:
        study: The study; it gets the user attribute `operator_latency`, or `operator_latency@RUNTIME`.
        space: The search space.
        measure: The objective: `latency`, or `latency@RUNTIME`, which names the runtime.
        runtime: Where `latency` is measured: a name that `fusion-nas runtimes` lists, or `module:Class`.
        precision: In which the runtime calculates.
        device: Where PyTorch's is measured: `auto` (a GPU where there is one), `cpu` or `cuda`; all others' on the CPU.
        batch_size: Images at a time.
        threads: CPU threads, on a CPU.
        seconds: Shortest time that a network is measured; an operator is measured for a tenth of it.

    Returns:
        The times; `predict(architecture, space)` gives the latency of an architecture in milliseconds.

    Raises:
        ConfigError: `cuda` on a machine where PyTorch sees no GPU.
        SpecError: There is no such measure or runtime.
        RunError: The runtime is not installed.
        MeasurementError: At some point no operator could be measured, or no network.
    """
    protocol = LatencyConfig(
        runtime=runtime, precision=precision, batch_size=batch_size, threads=threads, seconds=seconds
    ).at(MEASURES[measure].place)
    used = runtime_named(protocol.runtime)
    require_runtime(used, protocol.precision)
    on = resolve_device(device)
    timer = DeviceTimer(space, on, protocol)
    try:
        with device_alone(runs_on(used, on)):
            table, _ = measured_table(space, protocol, timer.device, timer.time, lambda _: None)
    finally:
        timer.close()
    study.set_user_attr(operator_latency(measure), table.to_dict())
    return table
