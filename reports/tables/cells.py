"""A cell of a table as a person reads it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import pandas as pd

__all__ = ["EMPTY", "UNSET", "is_unset", "labels_of", "text_of"]

UNSET: Final = "not set"
EMPTY: Final = '""'
WHOLE: Final = 1e15


def is_unset(value: Any) -> bool:
    """Return whether a cell is empty; an empty text is none: it is what somebody chose."""
    return bool(pd.api.types.is_scalar(value) and pd.isna(value))


def text_of(value: Any, *, exact: bool = False) -> str:
    """Return a cell as a person reads it: numbers of four digits, or exact; an empty text by its quotes."""
    if isinstance(value, str):
        return value or EMPTY
    if isinstance(value, float) and not (value.is_integer() and abs(value) < WHOLE):
        return repr(float(value)) if exact else f"{value:.4g}"
    return str(int(value)) if isinstance(value, float) else str(value)


def labels_of(values: Iterable[Any]) -> list[str]:
    """Return what the values of a parameter are called: exactly, where two of them would have one name."""
    given = list(values)
    short, exact = _called(given, exact=False), _called(given, exact=True)
    return short if len(set(short)) == len(set(exact)) else exact


def _called(values: Iterable[Any], *, exact: bool) -> list[str]:
    return [UNSET if is_unset(value) else text_of(value, exact=exact) for value in values]
