"""The latencies of a space's operators, measured for a study that keeps them."""

from __future__ import annotations

from optuna.study import Study

from search.strategy.trials import OPERATOR_LATENCY
from search.training.device import resolve_device
from search.training.measuring.operators import device_timer, measured_table
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
    """Measure how long inference of every operator of a space takes, and keep that in a study of one's own.

    The sampler `auto` finds it there and predicts the latency of architectures by it, where `latency` is an
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
    with device_timer(space, resolve_device(device), protocol) as timer:
        table = measured_table(space, timer, protocol, lambda *_: None)
    study.set_user_attr(OPERATOR_LATENCY, table.to_dict())
    return table
