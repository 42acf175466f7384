"""A table written as CSV, JSON or Parquet, whole or not at all."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from fusion_ops.errors import DataError, RunError, SpecError
from reports.atomic import write_bytes

__all__ = ["SUFFIXES", "require_suffix", "write_table"]


def write_table(table: pd.DataFrame, path: str | Path) -> Path:
    """Write a table in the format that the file's suffix names, and return its path.

    `.csv` is UTF-8 with a header. `.json` is a list of objects, one a row, with every number as it is; what
    is not there or not finite is `null`, dates are ISO 8601, and what JSON does not know is text. `.parquet`
    needs pyarrow.

    Raises:
        SpecError: Another suffix, or pyarrow is not installed.
        DataError: It is no table, or a column cannot be written in that format; the message names it.
        RunError: The file cannot be written; the message names it.
    """
    if not isinstance(table, pd.DataFrame):
        raise DataError(f"a table is a pandas.DataFrame; got {type(table).__name__}.")
    target = Path(path)
    require_suffix(target)
    content = _FORMATS[target.suffix.lower()](table)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(target, content)
    except OSError as error:
        raise RunError(f"cannot write {target}: {error.strerror}.") from None
    return target


def require_suffix(path: Path) -> None:
    """Check that a table can be written to a file of that name.

    Raises:
        SpecError: Its suffix is none of `.csv`, `.json`, `.parquet`.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise SpecError(f"a table is written as {', '.join(SUFFIXES)}, by the file's suffix; got {path}.")


def _csv(table: pd.DataFrame) -> bytes:
    text: str = table.to_csv(index=False, lineterminator="\n")
    return text.encode("utf-8", "backslashreplace")


def _json(table: pd.DataFrame) -> bytes:
    names = [str(name) for name in table.columns]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise DataError(f"JSON has every column once; got `{twice}` {names.count(twice)} times. Rename one.")
    columns = [[_json_value(value) for value in table.iloc[:, place]] for place in range(len(names))]
    rows = [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
    return json.dumps(rows, indent=1, allow_nan=False).encode() + b"\n"


def _json_value(value: Any) -> Any:
    """Return a cell as JSON has it. `json` writes a number by its shortest text that reads the same again."""
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): _json_value(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_json_value(one) for one in value]
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, date):
        return value.isoformat()
    return value if isinstance(value, bool | int | str) else str(value)


def _parquet(table: pd.DataFrame) -> bytes:
    try:
        import pyarrow
    except ImportError:
        raise SpecError(
            "Parquet needs pyarrow, which is not installed; `pip install pyarrow`, or write .csv or .json."
        ) from None
    target = io.BytesIO()
    try:
        # Attributes are no part of the table, and may be no JSON.
        _plain(table).to_parquet(target, index=False, engine="pyarrow")
    except (pyarrow.ArrowException, ValueError, TypeError) as error:
        said = " ".join(str(part) for part in error.args)
        raise DataError(f"the table is no Parquet: {' '.join(said.split())}. Give each column one type.") from None
    return target.getvalue()


def _plain(table: pd.DataFrame) -> pd.DataFrame:
    out = table.copy()
    out.attrs = {}
    out.columns = [str(name) for name in out.columns]
    return out


_FORMATS: Final[dict[str, Callable[[pd.DataFrame], bytes]]] = {".csv": _csv, ".json": _json, ".parquet": _parquet}
SUFFIXES: Final = tuple(_FORMATS)
