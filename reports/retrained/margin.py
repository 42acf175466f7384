"""`verdict.margin`: differences up to this are too small to matter."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

from reports.measures import Measure
from reports.retrained.record import read_retrain_record
from reports.run.run import RunRecord

__all__ = ["POINTS", "SHARE", "margin_of", "verdict_margin"]

# A quarter of a point, of measures that are shares.
POINTS: Final = 0.0025
# Of what the search had shown of the original, of all other measures.
SHARE: Final = 0.01


def margin_of(given: float | None, quality: Measure, shown: Iterable[tuple[str, float]], original: str) -> float:
    """Return the margin of a verdict, in the unit of the quality.

    That is the number given. Where none is, it is a quarter of a point for accuracy, mIoU and whatever else is a
    percentage; a loss, an error, R² or a user-defined measure has any scale, so there it is one hundredth of what the
    search had shown of the original (of its best candidate, where the original was not among them). All of that is
    known before anything is retrained, so that the margin is the same at every look.

    Args:
        given: `verdict.margin`.
        quality: The measure of quality.
        shown: By id, the best validation measure of each complete candidate of the search.
        original: Id of the original network.
    """
    if given is not None:
        return given
    if quality.style == "percent":
        return POINTS
    known = [(name, value) for name, value in shown if math.isfinite(value)]
    of_original = (value for name, value in known if name == original)
    best = min((value for _, value in known), key=quality.loss, default=0.0)
    return SHARE * abs(next(of_original, best))


def verdict_margin(run: RunRecord) -> float:
    """Return the margin of a run's verdict; see `margin_of`.

    Raises:
        RunError: What the run says of its retraining is damaged.
    """
    record = read_retrain_record(run.path)
    participants = () if record is None else record.participants
    original = next((one.id for one in participants if one.plays("original")), "")
    complete = run.table[run.table["state"] == "complete"].sort_values("number", kind="stable")
    return margin_of(run.margin, run.quality, zip(complete["id"], complete[run.quality.column], strict=True), original)
