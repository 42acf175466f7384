"""What went wrong in a run: errors grouped by what they have in common."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from reports.candidates.candidate import TRAINED
from reports.run.catalog import Catalog
from reports.run.operator_shares import operator_shares
from reports.run.run import RunRecord

__all__ = ["TRACE", "FailureGroup", "Failures", "failure_groups", "pattern"]

TRACE: Final = "failure-{}.txt"
"""In the folder of an architecture's checkpoints: the traceback of the training with a number."""
MOST_GROUPS = 40
MOST_SHOWN = 600
MOST_TRACE = 20_000
# Longer reasons are alike or not by their beginnings.
MOST_COMPARED = 2_000
STANDS_OUT = 0.05
MOST_OPERATORS = 3
# Fewer candidates have some operator more often by chance.
LEAST_ALIKE = 3

# What differs between errors of one kind, in this order: paths, addresses and ids, numbers.
_PATH = re.compile(r"(?<![\w.])(?:[A-Za-z]:|~)?(?:\.{0,2}[/\\][^\s/\\'\"`:,;()\[\]{}<>]+)+")
_ID = re.compile(r"\b(?:0x)?(?=[0-9a-fA-F-]*\d)[0-9a-fA-F]{4,}(?:-[0-9a-fA-F]{4,})*\b")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*(?:[eE][+-]?\d+)?")


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """Errors that say the same, but for numbers, ids and paths.

    Args:
        reason: What the first of them says, cut where it is long.
        cut: How many characters were cut.
        count: How many there are.
        number: Number of the first candidate.
        id: Id of its architecture.
        retrained: How many of them are retrainings.
        operators: Operators at more of their points than of all candidates' that were trained: name, share here, share
            of all; from three candidates on.
        trace: Traceback of the first candidate; empty where the run kept none.
        file: The file that has it whole, from the run directory; empty where there is none.
        trace_cut: How many characters of it were cut at its beginning.
    """

    reason: str
    cut: int
    count: int
    number: int
    id: str
    retrained: int
    operators: tuple[tuple[str, float, float], ...]
    trace: str
    file: str
    trace_cut: int


@dataclass(frozen=True, slots=True)
class Failures:
    """All that went wrong.

    Args:
        groups: The errors, the most frequent first.
        total: How many candidates failed.
        further: How many groups are left out, and how many candidates they hold.
        retried: Candidates that were started again after a worker was lost.
    """

    groups: tuple[FailureGroup, ...]
    total: int
    further: tuple[int, int]
    retried: int


def pattern(reason: str) -> str:
    """Return what errors of one kind have in common: paths, ids and numbers are taken out."""
    text = reason[:MOST_COMPARED]
    return _NUMBER.sub("#", _ID.sub("#", _PATH.sub("PATH", text)))


def failure_groups(run: RunRecord, catalog: Catalog) -> Failures:
    """Return the errors of a run: of failed candidates, and of those that did not fit the memory."""
    parts = [part for part in (run.table, run.contests, run.retrained) if len(part)]
    rows = pd.concat(parts) if parts else run.table
    wrong = (rows["state"] == "failed") | (
        (rows["state"] == "infeasible") & rows["reason"].str.contains("out of memory")
    )
    failed = rows[wrong].sort_values("number", kind="stable")
    grouped = [group for _, group in failed.groupby(failed["reason"].map(pattern), sort=False)]
    grouped.sort(key=len, reverse=True)
    shares = operator_shares(rows[rows["state"].isin(TRAINED) | wrong] if grouped else failed, catalog)
    shown, further = grouped[:MOST_GROUPS], grouped[MOST_GROUPS:]
    return Failures(
        tuple(_group(run, group, shares) for group in shown),
        len(failed),
        (len(further), sum(map(len, further))),
        int((rows["retries"] > 0).sum()),
    )


def _group(run: RunRecord, rows: pd.DataFrame, shares: pd.DataFrame) -> FailureGroup:
    first: Mapping[Any, Any] = rows.iloc[0].to_dict()
    reason, number, name = str(first["reason"]), int(first["number"]), str(first["id"])
    here, everywhere = shares.loc[rows.index].mean(), shares.mean()
    standing_out = [(str(op), float(here[op]), float(everywhere[op])) for op in shares.columns]
    enough = len(rows) >= LEAST_ALIKE
    standing_out = [one for one in standing_out if enough and one[1] - one[2] > STANDS_OUT]
    standing_out.sort(key=lambda one: one[2] - one[1])
    trace, file = _trace(run, name, number)
    return FailureGroup(
        reason=reason[:MOST_SHOWN],
        cut=max(len(reason) - MOST_SHOWN, 0),
        count=len(rows),
        number=number,
        id=name,
        retrained=int((rows["series"] == "retrain").sum()),
        operators=tuple(standing_out[:MOST_OPERATORS]),
        trace=trace[-MOST_TRACE:],
        file=file,
        trace_cut=max(len(trace) - MOST_TRACE, 0),
    )


def _trace(run: RunRecord, name: str, number: int) -> tuple[str, str]:
    """Return a traceback and its file, from the run directory; empty where there is none."""
    file = f"checkpoints/{name}/{TRACE.format(number)}"
    if not name.isalnum():
        return "", ""
    try:
        return (run.path / file).read_text(encoding="utf-8", errors="replace"), file
    except OSError:
        return "", ""
