"""The candidates table: one row a candidate, kept as `candidates.csv` in a run directory."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fusion_ops.errors import RunError
from reports.atomic import write_text
from reports.candidates.candidate import COLUMNS, DTYPES, LATER
from reports.candidates.hyperparameters import is_hyperparameter, typed
from reports.fronts.dominance import non_dominated
from reports.measures import AT, MEASURES, Measure, tested
from spaces.importing import is_reference

__all__ = [
    "COLUMNS",
    "FILE",
    "RANKED_KINDS",
    "comparable",
    "curve",
    "frame",
    "losses",
    "losses_of",
    "measured_costs",
    "read",
    "trained_epochs",
    "write",
]

FILE = "candidates.csv"
RANKED_KINDS = ("search", "baseline")

# Measured beside what objectives are made of: how latencies spread, drift, and are with other batches; the clock. What
# is taken at a place is measured, too.
_BESIDE = ("latency_", "memory_inference_bytes", "clock_")


def frame(records: Iterable[Mapping[str, Any]], objectives: Sequence[str]) -> pd.DataFrame:
    """Return the candidates table of some records.

    Args:
        records: A mapping of column to value for each candidate; what is missing or `None` stays empty.
            `curve` may be a list. Columns beyond `COLUMNS` are kept, behind them.
        objectives: Names of the objectives; where `accuracy` is not measured, the column gives way to the first of them
            that is a quality by name, such as `miou`.

    Raises:
        UnknownNameError: An objective that is no measure.
    """
    rows = [
        {key: _storable(value) for key, value in record.items()} | {"curve": _curve_text(record.get("curve"))}
        for record in records
    ]
    table = pd.DataFrame(rows, columns=_columns(rows, objectives))
    table = _typed(table)
    table["on_front"] = _on_front(table, objectives)
    return table


def read(run_dir: str | Path) -> pd.DataFrame:
    """Return the candidates table of a run.

    Raises:
        RunError: There is none, or it is damaged; the message names the file.
    """
    path = Path(run_dir) / FILE
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8")
    except FileNotFoundError:
        raise RunError(f"{path} does not exist: the run has no candidates yet, or this is no run.") from None
    except (OSError, ValueError) as error:
        raise RunError(f"{path} is not a table of candidates: {error}.") from None
    missing = [name for name in COLUMNS if name not in (*table.columns, *LATER, "accuracy")]
    if missing:
        raise RunError(f"{path} is not a table of candidates: it has no column {', '.join(missing)}.")
    try:
        return _typed(table)
    except (TypeError, ValueError) as error:
        raise RunError(f"{path} is damaged: {error}.") from None


def write(table: pd.DataFrame, run_dir: str | Path) -> Path:
    """Write the table into a run directory, whole or not at all; return its path.

    Raises:
        RunError: The file cannot be written; the message names it.
    """
    path = Path(run_dir) / FILE
    try:
        write_text(path, table.to_csv(index=False, lineterminator="\n"))
    except OSError as error:
        raise RunError(f"cannot write {path}: {error.strerror}.") from None
    return path


def curve(text: str) -> list[float]:
    """Return the validation quality after each trained epoch, as the column `curve` holds it."""
    values = json.loads(text) if text else []
    return [float("nan") if value is None else float(value) for value in values]


def measured_costs(row: Mapping[str, Any]) -> dict[str, float]:
    """Return what was measured of a candidate after its training, by column; see `Candidate.measured`."""
    costs = [MEASURES[name] for name in MEASURES if not (MEASURES[name].quality or MEASURES[name].exact)]
    columns = dict.fromkeys([*(cost.column for cost in costs), *filter(_is_beside, row)])
    return {column: row[column] for column in columns if not pd.isna(row.get(column))}


def trained_epochs(table: pd.DataFrame) -> pd.Series[int]:
    """Return the epochs that were trained for each row: those that a second look took over are another one's.

    They are 0 where the table has no epochs, and of duplicates, which copy what another one was trained for.
    """
    if "epochs" not in table.columns:
        return pd.Series(0, table.index)
    own = table["epochs"].fillna(0).astype("int64")
    if "before" in table.columns:
        own = (own - table["before"].fillna(0).astype("int64")).clip(lower=0)
    return own


def comparable(table: pd.DataFrame) -> pd.Series[bool]:
    """Return which rows can be ranked: complete, within all constraints, of the search or a baseline."""
    complete = table["state"] == "complete"
    if "feasible" in table.columns:
        complete &= table["feasible"]
    return complete & table["kind"].isin(RANKED_KINDS) if "kind" in table.columns else complete


def losses(table: pd.DataFrame, objectives: Sequence[str]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the objectives as `(n, m)` values to minimise; what was not measured is NaN.

    Raises:
        UnknownNameError: An objective that is no measure.
    """
    return losses_of(table, [MEASURES[name] for name in objectives])


def losses_of(table: pd.DataFrame, measures: Sequence[Measure]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return measures as `(n, m)` values to minimise; what was not measured is NaN."""
    columns = [
        measure.sign * table[measure.column].to_numpy(np.float64)
        if measure.column in table.columns
        else np.full(len(table), np.nan)
        for measure in measures
    ]
    return np.stack(columns, axis=1)


def _columns(rows: Sequence[Mapping[str, Any]], objectives: Sequence[str]) -> list[str]:
    known = [_instead(rows, objectives) if name == "accuracy" else name for name in COLUMNS]
    return list(dict.fromkeys([*known, *(name for row in rows for name in row)]))


def _instead(rows: Sequence[Mapping[str, Any]], objectives: Sequence[str]) -> str:
    """Return the column in the place of `accuracy`."""
    if "accuracy" in objectives or any("accuracy" in row for row in rows):
        return "accuracy"
    named = (MEASURES[name] for name in objectives if not is_reference(name))
    return next((one.column for one in named if one.quality and one.name != "loss"), "accuracy")


def _typed(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with one type a column, whether its values come from records or from text."""
    out = table.assign(**{name: default for name, default in LATER.items() if name not in table.columns})
    columns = {MEASURES[name].column for name in MEASURES}
    numbers = columns | set(map(tested, columns)) | set(filter(_is_beside, out.columns))
    dtypes = dict.fromkeys(numbers, "float64") | dict(DTYPES)
    for name in out.columns:
        searched = name not in dtypes and is_hyperparameter(name)
        dtype = "searched" if searched else dtypes.get(name, "any" if out[name].dtype.kind in "iufb" else "text")
        out[name] = _converted(out[name], dtype, LATER.get(name))
    return out


def _is_beside(column: str) -> bool:
    return column.startswith(_BESIDE) or AT in column


def _converted(values: pd.Series[Any], dtype: Any, default: Any) -> pd.Series[Any]:
    """Return a column in its type; empty cells hold the default, where there is one."""
    if dtype == "any":
        return values
    if dtype == "searched":
        return typed(values)
    if dtype == "text":
        return values.where(values.notna(), "").astype(str)
    if dtype == "bool":
        return ~values.isin([False, "False"]) if default else values.isin([True, "True"])
    filled = values.replace("", None)
    numbers: pd.Series[Any] = pd.to_numeric(filled)
    return (numbers if default is None else numbers.fillna(default)).astype(dtype)


def _on_front(table: pd.DataFrame, objectives: Sequence[str]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    out = np.zeros(len(table), dtype=np.bool_)
    rows = np.flatnonzero(comparable(table).to_numpy(np.bool_))
    out[rows] = non_dominated(losses(table.iloc[rows], objectives))
    return out


def _storable(value: Any) -> Any:
    """Return a text without what a CSV file in UTF-8 cannot hold; anything else as it is."""
    if not isinstance(value, str):
        return value
    text = value.encode("utf-8", "backslashreplace").decode("utf-8")
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\\0")


def _curve_text(values: Any) -> str:
    if isinstance(values, str):
        return values
    return json.dumps([float(value) if np.isfinite(value) else None for value in values or []])
