"""What is measured before the first candidate is trained: the operators' latencies, where the sampler uses them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from fusion_ops.errors import MeasurementError
from reports.measures import MEASURES, Measure
from search.strategy.trials import operator_latency
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
        self._tried: set[str] = set()

    def measure(self, job: Job) -> None:
        """Measure what the sampler makes use of and the study lacks; Ray is started and nothing is in training."""
        for name in self._wanted():
            self._tried.add(name)
            self._measure(job, MEASURES[name])

    def _wanted(self) -> list[str]:
        """Return the latencies that further candidates are proposed by, and that are not there yet."""
        study = self._ledger.study
        reads: tuple[str, ...] = getattr(study.sampler, "reads_operator_latency", ())
        if self._ledger.remaining() == 0:
            return []
        return [name for name in reads if name not in self._tried and operator_latency(name) not in study.user_attrs]

    def _measure(self, job: Job, measure: Measure) -> None:
        from search.cluster.operator_worker import measured_on_worker

        what = f"the {measure.label} of single operators"
        self._log.write("measuring_operators", **_named(measure))
        self._display.say(f"measuring {what}")
        self._live.update(f"measuring {what}")
        started = time.monotonic()
        try:
            timed = replace(job, latency=job.latency.at(measure.place))
            table, failed = measured_on_worker(
                timed, self._ledger.space, self._stopped, lambda part: self._show(measure, part)
            )
        except MeasurementError as error:
            self._go_on_without(measure, str(error))
        else:
            self._keep(measure, table, failed, time.monotonic() - started)

    def _show(self, measure: Measure, what: str) -> None:
        self._display.show(f"measuring the {measure.label} of {what}")
        self._live.update(f"measuring the {measure.label} of {what}")

    def _go_on_without(self, measure: Measure, reason: str) -> None:
        if self._stopped():
            return
        self._log.write("operators_not_measured", reason=reason, **_named(measure))
        what = f"the {measure.label} of single operators"
        self._display.say(f"{what} was not measured: {reason}; the search goes on without")

    def _keep(self, measure: Measure, table: LatencyTable, failed: Mapping[str, str], seconds: float) -> None:
        self._ledger.study.set_user_attr(operator_latency(measure.name), table.to_dict())
        self._log.write(
            "operators_measured",
            operators=len(table.times),
            rest_ms=table.rest,
            device=table.device,
            seconds=round(seconds, 3),
            **_named(measure),
            **({"failed": dict(failed)} if failed else {}),
        )
        if failed:
            what, reason = next(iter(failed.items()))
            self._display.say(f"{len(failed)} could not be measured, such as {what}: {reason}")


def _named(measure: Measure) -> dict[str, str]:
    """Return what the log says of a measure; plain latency needs no name."""
    return {"measure": measure.name} if measure.place else {}
