"""What came of stopped candidates that were begun again and ran to their end."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

__all__ = ["SecondLooks", "repeated", "second_looks"]


@dataclass(frozen=True, slots=True)
class SecondLooks:
    """The second looks of a run.

    Args:
        complete: Those that have ended as complete.
        on_front: Those of them that are on the front.
    """

    complete: int
    on_front: int

    @property
    def sentence(self) -> str:
        """What is known of them, in a sentence; empty where there is none."""
        if not self.complete:
            return ""
        what = "1 stopped candidate" if self.complete == 1 else f"{self.complete} stopped candidates"
        return f"{what} got a second look and ran to the end; {self.on_front} of {self.complete} reached the front."


def second_looks(table: pd.DataFrame) -> SecondLooks:
    """Return the second looks of a candidates table."""
    complete = table["second_look"].notna() & (table["state"] == "complete")
    return SecondLooks(int(complete.sum()), int((complete & table["on_front"]).sum()))


def repeated(table: pd.DataFrame) -> pd.Series[bool]:
    """Return which rows are trainings that were stopped and have been begun again in another row."""
    return table["number"].isin(table["second_look"].dropna())
