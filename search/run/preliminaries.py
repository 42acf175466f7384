"""What is measured before the first candidate is trained: the operators' latencies, where the sampler uses them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from statistics import median

from fusion_ops.errors import MeasurementError
from reports.measures import MEASURES, Measure
from search.strategy.trials import operator_latency
from search.study.ledger import Ledger
from search.training.job import Job
from search.watching.files import EventLog, LiveFile
from search.watching.progress import ProgressDisplay
from spaces.latency import LatencyTable

__all__ = ["Agreement", "Preliminaries"]

ENOUGH = 5


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
        # An operator has a latency for each host network, of which there may be many.
        if self._ledger.remaining() == 0 or self._ledger.joint.of_host:
            return []
        return [name for name in reads if name not in self._tried and operator_latency(name) not in study.user_attrs]

    def _measure(self, job: Job, measure: Measure) -> None:
        from search.cluster.operator_worker import measured_on_worker

        what = _of("single operators", measure)
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
        self._display.show(f"measuring {_of(what, measure)}")
        self._live.update(f"measuring {_of(what, measure)}")

    def _go_on_without(self, measure: Measure, reason: str) -> None:
        if self._stopped():
            return
        self._log.write("operators_not_measured", reason=reason, **_named(measure))
        what = _of("single operators", measure)
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

    def compare(self) -> None:
        """Say how well the operators' latencies predicted those of the networks that were measured whole."""
        for name in getattr(self._ledger.study.sampler, "reads_operator_latency", ()):
            kept = self._ledger.study.user_attrs.get(operator_latency(name))
            found = self._agreement(MEASURES[name], LatencyTable.from_dict(kept)) if kept else None
            if found is None:
                continue
            self._log.write("operators_compared", **asdict(found), **_named(MEASURES[name]))
            self._display.say(
                f"{_of('single operators', MEASURES[name])}: the sum is {found.ratio:.2f} × what {found.networks} "
                f"networks took, and off by {100 * found.error:.0f} % beside that factor"
            )

    def _agreement(self, measure: Measure, table: LatencyTable) -> Agreement | None:
        space, whole = self._ledger.space, self._ledger.candidates.values()
        pairs = [
            (table.predict(one.architecture, space), one.measured[measure.column])
            for one in whole
            if measure.column in one.measured and one.kind != "retrain"
        ]
        return Agreement.of(pairs) if len(pairs) >= ENOUGH else None


@dataclass(frozen=True, slots=True)
class Agreement:
    """How well predicted latencies fit measured ones.

    Args:
        networks: How many were compared.
        ratio: Median of predicted over measured.
        error: Median relative error, once that factor is taken out.
    """

    networks: int
    ratio: float
    error: float

    @classmethod
    def of(cls, pairs: Sequence[tuple[float, float]]) -> Agreement:
        """Return it for pairs of a predicted latency and a measured one."""
        ratios = [predicted / measured for predicted, measured in pairs]
        common = median(ratios)
        return cls(len(pairs), round(common, 4), round(median(abs(one / common - 1) for one in ratios), 4))


def _of(what: str, measure: Measure) -> str:
    """Return the latency of something in words: `the latency of single operators in OpenVINO`."""
    label = MEASURES[measure.base].label
    return f"the {label} of {what}{measure.label.removeprefix(label)}"


def _named(measure: Measure) -> dict[str, str]:
    """Return what the log says of a measure; plain latency needs no name."""
    return {"measure": measure.name} if measure.place else {}
