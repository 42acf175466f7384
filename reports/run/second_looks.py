"""What came of stopped candidates that were taken up again.

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
        complete: Those that ran to their end.
        on_front: Those of them that are on the front.
        stopped: Those that were stopped again.
    """

    complete: int
    on_front: int
    stopped: int = 0

    @property
    def sentence(self) -> str:
        """What is known of them, in a sentence; empty where there is none."""
        looks, again = (
            self.complete + self.stopped,
            f"{self.stopped} {'was' if self.stopped == 1 else 'were'} stopped again",
        )
        if not looks:
            return ""
        got = f"{looks} stopped candidate{'s' if looks > 1 else ''} got a second look"
        ran = f"ran to the end; {self.on_front} of {self.complete} reached the front" if self.complete else ""
        if not self.stopped:
            return f"{got} and {ran}."
        return f"{got}: {again}, {self.complete} {ran}." if self.complete else f"{got}: {again}."


def second_looks(table: pd.DataFrame) -> SecondLooks:
    """Return the second looks of a candidates table."""
    look = _is_look(table)
    complete, stopped = look & (table["state"] == "complete"), look & (table["state"] == "pruned")
    return SecondLooks(int(complete.sum()), int((complete & table["on_front"]).sum()), int(stopped.sum()))


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
