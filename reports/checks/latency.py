"""Did the measurements of latency hold still?"""

from __future__ import annotations

from reports.checks.check import HEALTH, Finding, HealthCheck
from reports.checks.subject import Subject
from reports.measures import DRIFT
from reports.run.latencies import drifted, timed

__all__ = ["latency_steady"]

MANY = 0.25


def latency_steady(subject: Subject) -> Finding | None:
    """Return how many networks' latency drifted while it was taken; `None` where none was.

    A measurement has drifted where the medians of its blocks differ by more than 10 % of their median. A warning for
    any, failed where more than a quarter of the networks drifted in some latency.
    """
    measured = timed(subject.catalog)
    if not measured:
        return None
    found = drifted(subject.catalog)
    worst = max(found, key=lambda label: len(found[label]), default="")
    count = len(found[worst]) if worst else 0
    numbers = {"measured": measured, "drifted": count}
    if not count:
        return Finding("pass", f"The latency of {measured} networks held still.", numbers=numbers)
    reason = f"{count} of {measured} measurements of {worst} drifted by more than {100 * DRIFT:.0f} %."
    advice = "Measure on an idle machine: fewer workers (`ray.max_concurrent`), and no other load."
    return Finding("fail" if count > MANY * measured else "warning", reason, advice, numbers)


HEALTH.register("latency")(HealthCheck("Latency steady", latency_steady))
