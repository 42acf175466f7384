"""A Ray worker that measures the latencies of operators, asked step by step so that it can be replaced at any time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

import spaces
from fusion_ops.errors import MeasurementError
from reports.runtimes import runtime_named
from search.training.device import prepare
from search.training.job import Job
from search.training.measuring.device_lock import device_alone
from search.training.measuring.latency import runs_on
from search.training.measuring.operators import DeviceTimer, measured_table
from spaces import Architecture, SearchSpace
from spaces.latency import LatencyTable, Part

__all__ = ["measured_on_worker"]

PERIOD = 0.2
IN_A_ROW = 3


class OperatorWorker:
    """Times operators on its node."""

    def prepare(self, job: Job, ref: spaces.SpaceRef, choices: Mapping[str, Any]) -> None:
        """Become a worker of the run."""
        device = prepare(job)
        self._alone = device_alone(runs_on(runtime_named(job.latency.runtime), device))
        self._timer = DeviceTimer(spaces.from_ref(ref, **choices), device, job.latency)

    def hold(self) -> str:
        """Wait until the device is free, hold it as long as this process lives, and return its name."""
        self._alone.__enter__()
        return self._timer.device

    def time(self, what: Part | Architecture) -> float | str:
        """Time an operator or a network, as `DeviceTimer` does."""
        return self._timer.time(what)

    def close(self) -> None:
        """Leave nothing behind."""
        self._timer.close()


class _StalledError(MeasurementError):
    """The worker does not answer."""


class RemoteTimer:
    """Has a worker time, and another one where the first is lost or makes no progress.

    What its worker was lost at is measured once more as often as a candidate is trained once more
    (`limits.retries`), then it counts as one that cannot be measured; what makes no progress counts as such at once.

    Args:
        job: What all candidates of the run share.
        space: The search space.
        stopped: Returns whether the run is to end.
    """

    def __init__(self, job: Job, space: SearchSpace, stopped: Callable[[], bool]) -> None:
        self._job, self._space, self._stopped = job, space, stopped
        self._patience = job.limits.stall_seconds or math.inf
        self._worker: Any = None
        self._given_up = 0

    def start(self) -> str:
        """Have a worker that holds the device alone, and return the device's name.

        The worker's node may still have to join, and the device to become free.
        """
        size = {"num_cpus": self._job.cpus, "num_gpus": self._job.gpus}
        self._worker = ray.remote(OperatorWorker).options(**size).remote()
        self._ask(math.inf, "__ray_ready__")
        self._ask(self._patience, "prepare", self._job, self._space.ref, self._space.selection)
        return str(self._ask(math.inf, "hold"))

    def time(self, what: Part | Architecture) -> float | str:
        """Return the time of an operator or a network in milliseconds, or why it cannot be measured.

        Raises:
            MeasurementError: The run is stopped, or several measurements in succession ended their workers.
        """
        reason = ""
        for _ in range(1 + self._job.limits.retries):
            if self._worker is None:
                self.start()
            try:
                found: float | str = self._ask(self._patience, "time", what)
            except RayTaskError:
                raise
            except RayError:
                reason = "its worker was lost"
                self.end()
            except _StalledError as stalled:
                reason = str(stalled)
                self.end()
                break
            else:
                self._given_up = 0
                return found
        self._given_up += 1
        if self._given_up == IN_A_ROW:
            raise MeasurementError(reason)
        return reason

    def close(self) -> None:
        """Have the worker leave nothing behind; where it cannot, what was measured counts all the same."""
        if self._worker is not None:
            with suppress(RayError, MeasurementError):
                self._ask(self._patience, "close")

    def end(self) -> None:
        """End the worker."""
        if self._worker is not None:
            ray.kill(self._worker)
            self._worker = None

    def _ask(self, patience: float, method: str, *arguments: Any) -> Any:
        """Return the worker's answer; raise `MeasurementError` if it does not come in time, or the run is stopped."""
        answer = getattr(self._worker, method).remote(*arguments)
        deadline = time.monotonic() + patience
        while not ray.wait([answer], timeout=PERIOD)[0]:
            if self._stopped():
                raise MeasurementError("the run was stopped")
            if time.monotonic() > deadline:
                raise _StalledError(f"no progress for {patience:g} s")
        return ray.get(answer)


def measured_on_worker(
    job: Job, space: SearchSpace, stopped: Callable[[], bool], show: Callable[[str], None]
) -> tuple[LatencyTable, dict[str, str]]:
    """Have a worker of the size of all others measure the operators of a space; `show` gets what comes next.

    Returns the table, and by what could not be measured the reason.

    Raises:
        MeasurementError: Workers are lost or stall one after another, or cannot measure; or the run is stopped.
    """
    timer = RemoteTimer(job, space, stopped)
    try:
        found = measured_table(space, job.latency, timer.start(), timer.time, show)
        timer.close()
        return found
    except RayTaskError as error:
        raise MeasurementError(" ".join(str(error.cause).split()).rstrip(".")) from error
    except RayError as error:
        raise MeasurementError("its worker was lost") from error
    finally:
        timer.end()
