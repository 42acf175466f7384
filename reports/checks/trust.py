"""Do short trainings rank as trainings from scratch do?"""

from __future__ import annotations

from reports.checks.check import HEALTH, Finding, HealthCheck
from reports.checks.subject import Subject
from reports.fidelity.run_trust import run_trust

__all__ = ["ranking_trusted"]


def ranking_trusted(subject: Subject) -> Finding | None:
    """Return whether the interval of Kendall's τ between short trainings and those from scratch is above 0.

    Passed where it is, failed where it includes 0 or is below; unknown where too few were trained from scratch.
    """
    if not subject.run.short:
        return None
    found = run_trust(subject.run)
    if found is None:
        few = "None of the short trainings was repeated from scratch: how far their ranking holds is not known."
        return Finding("unknown", few)
    said, advice = found.said(found.sentence), f"{found.said(found.advice)}." if found.advice else ""
    tau = found.found.tau
    if tau is None or (found.few and not found.found.holds):
        return Finding("unknown", f"{said}.", advice)
    numbers = {"tau": tau.value, "low": tau.low, "high": tau.high, "networks": tau.count}
    return Finding("pass" if found.found.holds else "fail", f"{said}.", advice, numbers)


HEALTH.register("trust")(HealthCheck("Ranking trusted", ranking_trusted, at_the_end=True))
