"""What is measured before the first candidate is trained: the operators' latencies, where the sampler uses them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from fusion_ops.errors import MeasurementError
from search.strategy.trials import OPERATOR_LATENCY
from search.study.ledger import Ledger
from search.training.job import Job
from search.watching.files import EventLog, LiveFile
from search.watching.progress import ProgressDisplay
from spaces.latency import LatencyTable

__all__ = ["Preliminaries"]


class Preliminaries:
    """Has a worker measure the operators' latencies, and keeps them in the study.

    A driver tries it once, and not at all if the study has them. Without them the search goes on.
    """

    def __init__(
        self, ledger: Ledger, log: EventLog, display: ProgressDisplay, live: LiveFile, stopped: Callable[[], bool]
    ) -> None:
        self._ledger, self._log, self._display, self._live, self._stopped = ledger, log, display, live, stopped
        self._tried = False

    def measure(self, job: Job) -> None:
        """Measure what the sampler makes use of and the study lacks; Ray is started and nothing is in training."""
        if self._tried or not self._wanted():
            return
        from search.cluster.operator_worker import measured_on_worker

        self._tried = True
        self._log.write("measuring_operators")
        self._display.say("measuring the latency of single operators")
        self._live.update("measuring the latency of single operators")
        started = time.monotonic()
        try:
            table, failed = measured_on_worker(job, self._ledger.space, self._stopped, self._show)
        except MeasurementError as error:
            self._go_on_without(str(error))
        else:
            self._keep(table, failed, time.monotonic() - started)

    def _wanted(self) -> bool:
        """Return whether further candidates will be proposed by a sampler that makes use of what is not there yet."""
        study = self._ledger.study
        reads = getattr(study.sampler, "reads_operator_latency", False)
        return reads and self._ledger.remaining() > 0 and OPERATOR_LATENCY not in study.user_attrs

    def _show(self, what: str) -> None:
        self._display.show(f"measuring the latency of {what}")
        self._live.update(f"measuring the latency of {what}")

    def _go_on_without(self, reason: str) -> None:
        if self._stopped():
            return
        self._log.write("operators_not_measured", reason=reason)
        self._display.say(f"the latency of single operators was not measured: {reason}; the search goes on without")

    def _keep(self, table: LatencyTable, failed: Mapping[str, str], seconds: float) -> None:
        self._ledger.study.set_user_attr(OPERATOR_LATENCY, table.to_dict())
        self._log.write(
            "operators_measured",
            operators=len(table.times),
            rest_ms=table.rest,
            device=table.device,
            seconds=round(seconds, 3),
            **({"failed": dict(failed)} if failed else {}),
        )
        if failed:
            what, reason = next(iter(failed.items()))
            self._display.say(f"{len(failed)} could not be measured, such as {what}: {reason}")
