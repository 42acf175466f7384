"""A table written as CSV, JSON or Parquet, whole or not at all."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pandas as pd

from fusion_ops.errors import DataError, RunError, SpecError
from reports.atomic import write_bytes

__all__ = ["SUFFIXES", "require_suffix", "write_table"]


def write_table(table: pd.DataFrame, path: str | Path) -> Path:
    """Write a table in the format that the file's suffix names, and return its path.

    `.csv` is UTF-8 with a header. `.json` is a list of objects, one a row; what is not there is `null`. `.parquet`
    needs pyarrow.

    Raises:
        SpecError: Another suffix, or pyarrow is not installed.
        DataError: A column cannot be written in that format; the message names it.
        RunError: The file cannot be written; the message names it.
    """
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
    text: str = table.to_json(orient="records", indent=1, date_format="iso", force_ascii=True, double_precision=15)
    return text.encode() + b"\n"


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
