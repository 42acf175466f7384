"""The columns of the candidates table that hold hyperparameters, each called by its key: `train.lr`, `space.width`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from spaces.architecture import frozen
from spaces.hyperparameter import label

__all__ = ["is_hyperparameter", "kept", "settings_in_words", "short_name", "typed", "written"]

SECTIONS = ("train.", "space.")


def is_hyperparameter(column: str) -> bool:
    """Return whether a column of a run's table holds a hyperparameter."""
    return column.startswith(SECTIONS)


def short_name(key: str) -> str:
    """Return a key as a heading has it: `lr` of `train.lr`, `batch size` of `train.batch_size`."""
    return key.partition(".")[2].replace("_", " ")


def written(value: Any) -> str:
    """Return a value as a person reads it: three digits of a number, lists without brackets."""
    shown = label(value)
    if shown is None or isinstance(shown, bool):
        return {None: "null", True: "true", False: "false"}[shown]
    return f"{shown:.3g}" if isinstance(shown, float) else str(shown)


def settings_in_words(hyperparameters: Mapping[str, Any]) -> str:
    """Return hyperparameters in a few words, `lr 0.1, width 12`; empty where there are none."""
    return ", ".join(f"{short_name(name)} {written(value)}" for name, value in hyperparameters.items())


def typed(values: pd.Series[Any]) -> pd.Series[Any]:
    """Return a column with the type that all its values have: numbers, true and false, else text.

    Whether they come from candidates or from a file makes no difference. Null is an empty cell.
    """
    there = values[values.notna() & (values.astype(str) != "")]
    words, full = set(there.astype(str)), len(there) == len(values)
    if words and words <= {"True", "False"}:
        return values.map({True: True, "True": True, False: False, "False": False}).astype("bool" if full else "object")
    numbers = pd.to_numeric(there, errors="coerce")
    if words and numbers.notna().all():
        whole = numbers.dtype.kind == "i"
        return numbers.reindex(values.index).astype(("int64" if full else "Int64") if whole else "float64")
    return values.where(values.notna(), "").astype(str)


def kept(row: Mapping[Any, Any], searched: Mapping[str, Any]) -> dict[str, Any]:
    """Return the hyperparameters of a row of the table, by key; lists as lists.

    Args:
        row: The row; a hyperparameter that it does not have is left out.
        searched: The section `hyperparameters` of the run's config, which knows what a label stands for.
    """
    return {name: _value(row[name], searched[name]) for name in searched if name in row}


def _value(cell: Any, given: Any) -> Any:
    """Return what a cell stands for: of a list the value with its label, else the number that it is."""
    found = None if pd.isna(cell) else frozen(cell.item() if hasattr(cell, "item") else cell)
    if isinstance(given, list | tuple):
        return next((value for value in given if _text(label(value)) == _text(found)), found)
    return found


def _text(value: Any) -> str:
    return "" if value is None else str(frozen(value))
