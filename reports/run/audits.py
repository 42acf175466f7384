"""How often a candidate was stopped wrongly, from the stopped ones that ran on as a check."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from reports.proportions import wilson

__all__ = ["Audit", "audit"]


@dataclass(frozen=True, slots=True)
class Audit:
    """The checked stops of a run.

    Args:
        checked: Candidates that were to be stopped, ran on, and are complete.
        wrong: Those of them that are on the front.
        stopped: Candidates that were stopped.
    """

    checked: int
    wrong: int
    stopped: int

    @property
    def interval(self) -> tuple[float, float]:
        """Return the 95 % interval of the rate of wrong stops."""
        return wilson(self.wrong / self.checked, self.checked) if self.checked else (0.0, 1.0)

    @property
    def sentence(self) -> str:
        """What is known of the stops, in a sentence; empty where nothing was stopped."""
        if not self.checked:
            return "No stopped candidate ran on as a check yet." if self.stopped else ""
        low, high = (round(100 * share) for share in self.interval)
        ran = "1 candidate that was" if self.checked == 1 else f"{self.checked} candidates that were"
        return (
            f"As a check, {ran} to be stopped ran on to the end; {self.wrong} of {self.checked} reached the front "
            f"(wrong stops {100 * self.wrong / self.checked:.0f} %, 95 %: {low} to {high} %)."
        )


def audit(table: pd.DataFrame) -> Audit:
    """Return the checked stops of a candidates table."""
    checked = table["audit"].notna() & (table["state"] == "complete")
    return Audit(int(checked.sum()), int((checked & table["on_front"]).sum()), int((table["state"] == "pruned").sum()))
