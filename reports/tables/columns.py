"""What a table of candidates lacks is completed; what is wrong in it is named by column and row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd

from fusion_ops.errors import DataError
from reports.candidates.candidate import STATES
from reports.measures import Measure
from reports.tables.names import named_as_text
from reports.tables.own_columns import RESULTS

__all__ = ["KINDS", "MISSING", "completed", "with_bounded", "with_epochs"]

KINDS: Final = ("search", "baseline", "control", "retrain")
MISSING: Final = "missing"
"""Key of `DataFrame.attrs` under which a completed table says, in sentences, what it lacked."""


def completed(table: pd.DataFrame, measures: Sequence[Measure]) -> pd.DataFrame:
    """Return a table with the columns that a ranking needs, each in its type and called by a text.

    What is missing is completed: `number` by the row's place, `id` by the number, `state` by whether every objective
    has a value, `kind` as `search`, `feasible` as true. `attrs["missing"]` says which, names what a ranking replaces,
    and counts complete rows without a finite value of an objective.

    Args:
        table: The candidates, one row each; see `docs/library.md` for the columns.
        measures: The objectives.

    Raises:
        DataError: It is no table, a column of an objective is missing, or a cell is wrong; the message names the column
            and the row.
    """
    table = named_as_text(table)
    _require_columns(table, measures)
    out, missing = table.copy(), list(table.attrs.get(MISSING, ()))
    for measure in measures:
        out[measure.column] = _numbers(table, measure.column)
    for name, complete in _COMPLETED.items():
        if name in table.columns:
            out[name] = _CHECKED[name](table, name)
        else:
            out[name], said = complete(out, measures)
            missing += [said] if said else []
    missing += _unranked(out, measures)
    missing += [f"column `{name}` is set aside: a ranking has its own" for name in RESULTS if name in table.columns]
    missing = list(dict.fromkeys(missing))
    out.attrs = {**table.attrs, MISSING: tuple(missing)} if missing else dict(table.attrs)
    return out


def with_epochs(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with its epochs, where it has them, as numbers; an empty cell is NaN.

    Raises:
        DataError: A cell is no number of at least 0; the message names the row.
    """
    if "epochs" not in table.columns:
        return table
    numbers = _numbers(table, "epochs")
    _require(table, "epochs", numbers.isna() | ((numbers >= 0) & np.isfinite(numbers)), "a number of at least 0")
    return table.assign(epochs=numbers)


def with_bounded(table: pd.DataFrame, measures: Iterable[Measure]) -> pd.DataFrame:
    """Return a table with the columns that constraints bound as numbers; an empty cell is NaN.

    Raises:
        DataError: A column is missing, or a cell is no number; the message names column and row.
    """
    for measure in measures:
        if measure.column not in table.columns:
            raise DataError(
                f"constraint `{measure.name}` needs the column `{measure.column}`; "
                f"the table has {', '.join(map(str, table.columns))}."
            )
        table = table.assign(**{measure.column: _numbers(table, measure.column)})
    return table


def _require_columns(table: pd.DataFrame, measures: Iterable[Measure]) -> None:
    names = list(table.columns)
    for measure in measures:
        if measure.column not in names:
            raise DataError(
                f"objective `{measure.name}` needs the column `{measure.column}`; "
                f"the table has {', '.join(map(str, names)) or 'no column'}."
            )


def _unranked(table: pd.DataFrame, measures: Sequence[Measure]) -> list[str]:
    """Return which objectives have no finite value in rows that count as complete: nothing can be said of these."""
    complete = table[table["state"] == "complete"]
    counts = {measure.name: int((~np.isfinite(complete[measure.column])).sum()) for measure in measures}
    return [
        f"`{name}` has no finite value in {count:,} complete row{'s' if count > 1 else ''}: ranked behind all others"
        for name, count in counts.items()
        if count
    ]


def _numbers(table: pd.DataFrame, name: str) -> pd.Series[Any]:
    given = table[name].replace("", None)
    numbers = pd.to_numeric(given, errors="coerce").astype("float64")
    _require(table, name, ~(numbers.isna() & given.notna()), "a number")
    return numbers


def _integers(table: pd.DataFrame, name: str) -> pd.Series[Any]:
    numbers = _numbers(table, name)
    _require(table, name, numbers.notna() & (numbers % 1 == 0), "a whole number")
    _require(table, name, ~numbers.duplicated(), "there once")
    return numbers.astype("int64")


def _texts(table: pd.DataFrame, name: str) -> pd.Series[Any]:
    _require(table, name, table[name].notna() & (table[name].astype(str) != ""), "not empty")
    return table[name].astype(str)


def _one_of(allowed: Sequence[str]) -> Callable[[pd.DataFrame, str], pd.Series[Any]]:
    def check(table: pd.DataFrame, name: str) -> pd.Series[Any]:
        _require(table, name, table[name].isin(allowed), f"one of {', '.join(allowed)}")
        return table[name].astype(str)

    return check


def _truths(table: pd.DataFrame, name: str) -> pd.Series[Any]:
    words = table[name].astype(str).str.lower()
    _require(table, name, words.isin(["true", "false"]), "true or false")
    return words == "true"


def _require(table: pd.DataFrame, name: str, right: pd.Series[bool], rule: str) -> None:
    if not right.all():
        place = int(np.flatnonzero(~right.to_numpy(np.bool_))[0])
        row, value = table.index[place], table[name].iloc[place]
        value = value.item() if isinstance(value, np.generic) else value
        raise DataError(f"column `{name}` must be {rule}; got {value!r} in row {row}.")


def _states(table: pd.DataFrame, measures: Sequence[Measure]) -> tuple[Any, str]:
    there = table[[measure.column for measure in measures]].notna().all(axis=1)
    said = "" if there.all() else ", the others as failed"
    names = np.where(there, "complete", "failed")
    return names, f"no column `state`: rows with a value of every objective count as complete{said}"


# Only what changes a result is said.
_COMPLETED: Final[dict[str, Callable[[pd.DataFrame, Sequence[Measure]], tuple[Any, str]]]] = {
    "number": lambda table, _: (range(len(table)), "no column `number`: rows are numbered in the table's order"),
    "id": lambda table, _: (table["number"].astype(str), "no column `id`: a row's number stands for it"),
    "state": _states,
    "kind": lambda table, _: ("search", ""),
    "feasible": lambda table, _: (True, ""),
}
_CHECKED: Final[dict[str, Callable[[pd.DataFrame, str], pd.Series[Any]]]] = {
    "number": _integers,
    "id": _texts,
    "state": _one_of(STATES),
    "kind": _one_of(KINDS),
    "feasible": _truths,
}
