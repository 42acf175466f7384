"""A Ray worker that measures the latencies of operators, asked step by step so that it can be ended at any time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

import spaces
from fusion_ops.errors import MeasurementError
from search.config.sections import LatencyConfig, TrainConfig
from search.measuring.latency_table import LatencyTable, Operator
from search.measuring.operators import Timing, device_timer, measured_table
from search.training.preparation import prepare
from spaces import Architecture, SearchSpace

__all__ = ["measured_on_worker"]

PERIOD = 0.2


class OperatorWorker:
    """Times operators on its node; it holds the device alone from its preparation to its end."""

    def __init__(self) -> None:
        self._held = ExitStack()

    def ready(self) -> None:
        """Return as soon as the process is there."""

    def prepare(self, job: Mapping[str, Any], ref: Mapping[str, Any], choices: Mapping[str, Any]) -> str:
        """Become a worker of the run, wait until the device is free, and return its name."""
        device = prepare(job, TrainConfig.model_validate(job["train"]))
        space = spaces.from_ref(spaces.SpaceRef.from_dict(ref), **choices)
        protocol = LatencyConfig.model_validate(job["latency"])
        self._timer = self._held.enter_context(device_timer(space, device, protocol))
        return self._timer.device()

    def operator(self, operator: Operator) -> Timing:
        """Time one operator alone."""
        return self._timer.operator(operator)

    def network(self, architecture: Architecture) -> Timing:
        """Time a whole network."""
        return self._timer.network(architecture)


class RemoteTimer:
    """Has a worker time, and gives it up when the run is stopped or the worker makes no progress.

    Args:
        worker: Handle of an `OperatorWorker`.
        stopped: Tells whether the run is to end.
        patience: Seconds without an answer after which it is given up.
    """

    def __init__(self, worker: Any, stopped: Callable[[], bool], patience: float | None) -> None:
        self._worker, self._stopped = worker, stopped
        self._patience = float("inf") if patience is None else patience
        self._device = ""

    def prepare(self, job: Mapping[str, Any], space: SearchSpace) -> None:
        """Wait for the worker, which may need a node that is still to join, and prepare it."""
        self._ask(float("inf"), "ready")
        choices = {"ops": space.ops, "reductions": space.reductions, "tie": space.tie}
        self._device = self._ask(self._patience, "prepare", job, space.ref.to_dict(), choices)

    def device(self) -> str:
        """Return the name of the worker's device."""
        return self._device

    def operator(self, operator: Operator) -> Timing:
        """Time one operator alone."""
        return self._ask(self._patience, "operator", operator)  # type: ignore[no-any-return]

    def network(self, architecture: Architecture) -> Timing:
        """Time a whole network."""
        return self._ask(self._patience, "network", architecture)  # type: ignore[no-any-return]

    def _ask(self, patience: float, method: str, *arguments: Any) -> Any:
        """Return the worker's answer.

        Raises:
            MeasurementError: The run is stopped, or the worker does not answer in time.
        """
        answer = getattr(self._worker, method).remote(*arguments)
        deadline = time.monotonic() + patience
        while not ray.wait([answer], timeout=PERIOD)[0]:
            if self._stopped():
                raise MeasurementError("the run was stopped")
            if time.monotonic() > deadline:
                raise MeasurementError(f"no progress for {patience:g} s")
        return ray.get(answer)


def measured_on_worker(
    job: Mapping[str, Any],
    space: SearchSpace,
    *,
    cpus: float,
    gpus: float,
    stopped: Callable[[], bool],
    tell: Callable[[str, str], None],
) -> LatencyTable:
    """Have a worker of the size of all others measure the operators of a space; Ray is started.

    Args:
        job: What all candidates share, see `search.driver`.
        space: The search space.
        cpus: CPU cores of the worker.
        gpus: GPUs of the worker.
        stopped: Tells whether the run is to end.
        tell: Hears what is measured, and what could not be; see `measured_table`.

    Raises:
        MeasurementError: The worker was lost, makes no progress, or could not measure; or the run is stopped.
    """
    worker: Any = ray.remote(OperatorWorker).options(num_cpus=cpus, num_gpus=gpus).remote()
    try:
        timer = RemoteTimer(worker, stopped, job["limits"]["stall_seconds"])
        timer.prepare(job, space)
        return measured_table(space, timer, LatencyConfig.model_validate(job["latency"]), tell)
    except RayTaskError as error:
        raise MeasurementError(" ".join(str(error.cause).split()).rstrip(".")) from error
    except RayError as error:
        raise MeasurementError("its worker was lost") from error
    finally:
        ray.kill(worker)
