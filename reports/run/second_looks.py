"""What came of stopped candidates that were begun again and ran to their end.

A second look is known by its architecture: the table has that of a stopped candidate once more, in a later row.
"""

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
    complete = _is_look(table) & (table["state"] == "complete")
    return SecondLooks(int(complete.sum()), int((complete & table["on_front"]).sum()))


def repeated(table: pd.DataFrame) -> pd.Series[bool]:
    """Return which rows are trainings that were stopped and have been begun again in another row."""
    last = table["number"].where(_is_look(table)).groupby(table["id"]).transform("max")
    return _was_stopped(table) & (table["number"] < last)


def _is_look(table: pd.DataFrame) -> pd.Series[bool]:
    """Return which rows train anew what was stopped in an earlier one; duplicates train nothing."""
    first = table["number"].where(_was_stopped(table)).groupby(table["id"]).transform("min")
    proposed = (table["series"] == "") & (table["kind"] == "search") & (table["state"] != "duplicate")
    return proposed & (table["number"] > first)


def _was_stopped(table: pd.DataFrame) -> pd.Series[bool]:
    return (table["series"] == "") & (table["state"] == "pruned")
