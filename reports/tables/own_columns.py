"""Which columns of a table are fusion-nas's own, and which are parameters of whoever made it."""

from __future__ import annotations

import re
from typing import Final

from reports.candidates.candidate import COLUMNS
from reports.measures import MEASURES

__all__ = ["RESULTS", "is_beside", "is_parameter"]

RESULTS: Final = ("rank", "contribution", "knee")
"""Columns that a ranking adds; a table's own of these names are replaced by it."""

# Whole names, not beginnings: `latency_weight` is somebody's parameter.
_BESIDE: Final = re.compile(
    r"violation|"
    r"latency_(ms|iqr_ms|drift)(_batch_\d+)?(@.+)?|memory_inference_bytes|clock_(mhz_before|mhz_after|throttled)"
)


def is_parameter(column: str) -> bool:
    """Return whether a column is none of the contract, a ranking or a measure, nor measured beside those."""
    return column not in (*COLUMNS, *RESULTS) and not _is_measured(column) and not is_beside(column)


def is_beside(column: str) -> bool:
    """Return whether a column is measured beside what objectives are made of: spreads, the clock, the test images."""
    tested = column.startswith("test_") and _is_measured(column.removeprefix("test_"))
    return not _is_measured(column) and (tested or _BESIDE.fullmatch(column) is not None)


def _is_measured(column: str) -> bool:
    """Return whether a column is a measure's, or a measure's at a place: `latency_ms@openvino`."""
    base, at, place = column.partition("@")
    columns = {MEASURES[name].column for name in MEASURES}
    return column in columns or (base in columns and bool(at and place))
