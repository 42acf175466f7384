"""A Ray worker that measures the latencies of operators, asked step by step so that it can be replaced at any time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

import spaces
from fusion_ops.errors import MeasurementError
from search.training.measuring.operators import Timing, device_timer, measured_table
from search.training.preparation import prepare
from search.training.settings import LatencyConfig, TrainConfig
from spaces import Architecture, SearchSpace
from spaces.latency import LatencyTable, Operator

__all__ = ["measured_on_worker"]

PERIOD = 0.2
IN_A_ROW = 3


class OperatorWorker:
    """Times operators on its node; from `hold` to its end it holds the device alone."""

    def __init__(self) -> None:
        self._held = ExitStack()

    def ready(self) -> None:
        """Return as soon as the process is there."""

    def prepare(self, job: Mapping[str, Any], ref: Mapping[str, Any], choices: Mapping[str, Any]) -> None:
        """Become a worker of the run."""
        self._device = prepare(job, TrainConfig.model_validate(job["train"]))
        self._space = spaces.from_ref(spaces.SpaceRef.from_dict(ref), **choices)
        self._protocol = LatencyConfig.model_validate(job["latency"])

    def hold(self) -> str:
        """Wait until the device is free, and return its name."""
        self._timer = self._held.enter_context(device_timer(self._space, self._device, self._protocol))
        return self._timer.device()

    def operator(self, operator: Operator) -> Timing:
        """Time one operator alone."""
        return self._timer.operator(operator)

    def network(self, architecture: Architecture) -> Timing:
        """Time a whole network."""
        return self._timer.network(architecture)


class _StalledError(MeasurementError):
    """The worker does not answer."""


class RemoteTimer:
    """Has a worker time, and another one where the first is lost or makes no progress.

    What its worker was lost at is measured once more as often as a candidate is trained once more
    (`limits.retries`), then it counts as one that cannot be measured; what makes no progress counts as such at once.

    Args:
        job: What all candidates share, see `search.run.driver`.
        space: The search space.
        cpus: CPU cores of a worker.
        gpus: GPUs of a worker.
        stopped: Tells whether the run is to end.
    """

    def __init__(
        self, job: Mapping[str, Any], space: SearchSpace, *, cpus: float, gpus: float, stopped: Callable[[], bool]
    ) -> None:
        self._job, self._space, self._stopped = job, space, stopped
        self._size = {"num_cpus": cpus, "num_gpus": gpus}
        limits = job["limits"]
        self._patience = float("inf") if limits["stall_seconds"] is None else limits["stall_seconds"]
        self._retries = limits["retries"]
        self._worker: Any = None
        self._device = ""
        self._given_up = 0

    def __enter__(self) -> RemoteTimer:
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def device(self) -> str:
        """Return the name of the worker's device."""
        return self._device

    def operator(self, operator: Operator) -> Timing:
        """Time one operator alone."""
        return self._timed("operator", operator)

    def network(self, architecture: Architecture) -> Timing:
        """Time a whole network."""
        return self._timed("network", architecture)

    def _timed(self, method: str, what: Operator | Architecture) -> Timing:
        """Return a measurement, by a further worker where this one is lost.

        Raises:
            MeasurementError: The run is stopped, or several measurements in succession ended their workers.
        """
        reason = ""
        for _ in range(1 + self._retries):
            try:
                timing: Timing = self._ask(self._patience, method, what)
            except RayTaskError:
                raise
            except RayError:
                reason = "its worker was lost"
                self._start()
            except _StalledError as stalled:
                reason = str(stalled)
                self._start()
                break
            else:
                self._given_up = 0
                return timing
        self._given_up += 1
        if self._given_up == IN_A_ROW:
            raise MeasurementError(reason)
        return Timing(None, reason)

    def _start(self) -> None:
        """Have a worker that holds the device; its node may still have to join, and the device to become free."""
        self._end()
        self._worker = ray.remote(OperatorWorker).options(**self._size).remote()
        space = self._space
        self._ask(float("inf"), "ready")
        choices = {"ops": space.ops, "reductions": space.reductions, "tie": space.tie}
        self._ask(self._patience, "prepare", self._job, space.ref.to_dict(), choices)
        self._device = self._ask(float("inf"), "hold")

    def _end(self) -> None:
        if self._worker is not None:
            ray.kill(self._worker)
            self._worker = None

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
                raise _StalledError(f"no progress for {patience:g} s")
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
        job: What all candidates share, see `search.run.driver`.
        space: The search space.
        cpus: CPU cores of the worker.
        gpus: GPUs of the worker.
        stopped: Tells whether the run is to end.
        tell: Hears what is measured, and what could not be; see `measured_table`.

    Raises:
        MeasurementError: Workers are lost or stall one after another, or could not measure; or the run is stopped.
    """
    try:
        with RemoteTimer(job, space, cpus=cpus, gpus=gpus, stopped=stopped) as timer:
            return measured_table(space, timer, LatencyConfig.model_validate(job["latency"]), tell)
    except RayTaskError as error:
        raise MeasurementError(" ".join(str(error.cause).split()).rstrip(".")) from error
    except RayError as error:
        raise MeasurementError("its worker was lost") from error
