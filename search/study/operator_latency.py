"""The latencies of a space's operators, measured for a study that keeps them."""

from __future__ import annotations

from optuna.study import Study

from search.strategy.trials import OPERATOR_LATENCY
from search.training.device import resolve_device
from search.training.measuring.device_lock import device_alone
from search.training.measuring.operators import DeviceTimer, measured_table
from search.training.settings import LatencyConfig
from spaces import SearchSpace
from spaces.latency import LatencyTable

__all__ = ["measure_operators"]


def measure_operators(
    study: Study,
    space: SearchSpace,
    *,
    device: str = "auto",
    batch_size: int = 1,
    threads: int = 1,
    seconds: float = 0.5,
) -> LatencyTable:
    """Measure how long inference of every operator of a space takes, and keep the times in a study.

    The sampler `auto` finds them there and predicts the latency of architectures by them, where `latency` is an
    objective. A run of `search.launch` does the same by itself. Measured again, the study keeps the new times; a
    sampler that has begun to learn keeps those that it has.

    Args:
        study: The study; it gets the user attribute `operator_latency`.
        space: The search space.
        device: Where it is measured: `auto` (a GPU where there is one), `cpu` or `cuda`.
        batch_size: Images at a time.
        threads: CPU threads, on a CPU.
        seconds: Shortest time that a network is measured; an operator is measured for a tenth of it.

    Returns:
        The times; `predict(architecture, space)` gives the latency of an architecture in milliseconds.

    Raises:
        ConfigError: `cuda` on a machine where PyTorch sees no GPU.
        MeasurementError: At some point no operator could be measured, or no network.
    """
    protocol = LatencyConfig(batch_size=batch_size, threads=threads, seconds=seconds)
    on = resolve_device(device)
    timer = DeviceTimer(space, on, protocol)
    with device_alone(on):
        table, _ = measured_table(space, protocol, timer.device, timer.time, lambda _: None)
    study.set_user_attr(OPERATOR_LATENCY, table.to_dict())
    return table
