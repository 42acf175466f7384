"""Were candidates stopped rightly, and were enough of the stops checked to say so?"""

from __future__ import annotations

import math

from reports.checks.chance import Z95
from reports.checks.check import HEALTH, Finding, HealthCheck
from reports.checks.subject import Subject
from reports.run.audits import audit

__all__ = ["stops_audited"]

TOLERATED = 0.1
AT_MOST = 0.3
# Below this upper end even checks without a wrong stop lie only from so many on: Wilson's is z² / (n + z²).
NEEDED = math.ceil(Z95**2 * (1.0 - AT_MOST) / AT_MOST)


def stops_audited(subject: Subject) -> Finding | None:
    """Return how many stops were checked, and how many of them were wrong.

    Failed where Wilson's 95 % interval of the rate of wrong stops lies above 10 % as a whole; passed where the rate is
    at most 10 % and the interval's upper end at most 30 %.
    """
    found = audit(subject.run.table)
    if not found.stopped and not found.checked:
        return Finding("pass", "No candidate was stopped early.", numbers={"stopped": 0, "checked": 0, "wrong": 0})
    numbers = {"stopped": found.stopped, "checked": found.checked, "wrong": found.wrong}
    if not found.checked:
        stopped = f"{found.stopped} candidate{'s were' if found.stopped != 1 else ' was'} stopped"
        return Finding("warning", f"{stopped} and no stop was checked: nobody knows what was lost.", _more(), numbers)
    low, high = found.interval
    said = f"{found.wrong} of {found.checked} checked stops were wrong (95 %: {100 * low:.0f} to {100 * high:.0f} %)"
    if low > TOLERATED:
        advice = "Candidates that train slowly were lost: search again with `search.pruner: none`, or more epochs."
        return Finding("fail", f"{said}.", advice, numbers)
    if found.wrong <= TOLERATED * found.checked and high <= AT_MOST:
        return Finding("pass", f"{said}.", numbers=numbers)
    if found.wrong <= TOLERATED * found.checked:
        return Finding("warning", f"{said}: too few to say much.", _more(), numbers)
    return Finding(
        "warning", f"{said}.", "Look at the learning curves: who is stopped early may train slowly.", numbers
    )


def _more() -> str:
    return f"More trials check more stops: {NEEDED} without a wrong one bound the rate to {100 * AT_MOST:.0f} %."


HEALTH.register("stops")(HealthCheck("Stops audited", stops_audited, at_the_end=True))
