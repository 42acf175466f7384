"""How healthy the run is: checks that passed, warn or failed, each with its reason and what to do about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from reports.checks import WORDS, Check, Status, examine
from reports.checks.check import SEVERITY
from reports.panels.panel import PANELS, Panel
from reports.run.catalog import Catalog
from reports.run.run import RunRecord

__all__ = ["HealthInfo", "health_info"]

_COUNTED: Final[Mapping[Status, str]] = {
    "fail": "failed",
    "warning": "warn",
    "unknown": "not known",
    "pass": "passed",
}


@dataclass(frozen=True, slots=True)
class HealthInfo:
    """What the panel shows.

    Args:
        checks: The checks, the worst first.
    """

    checks: tuple[Check, ...]

    @property
    def words(self) -> Mapping[Status, str]:
        """What a status is called on its card."""
        return WORDS

    @property
    def summary(self) -> str:
        """How many came out how: "1 failed, 3 warn, 5 passed"."""
        counts = Counter(check.status for check in self.checks)
        return ", ".join(f"{counts[status]} {_COUNTED[status]}" for status in SEVERITY if counts[status])


def health_info(run: RunRecord, catalog: Catalog) -> HealthInfo:
    """Return the checks of the run."""
    return HealthInfo(examine(run, catalog))


PANELS.register("health")(Panel(2, "Health", health_info))
