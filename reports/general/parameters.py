"""What the values of a table's parameters do, given all else that the candidates had."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from reports.general.record import TableRecord
from reports.marginal.cells import Cell, Effects, Line
from reports.marginal.shares import Share, importance_of
from reports.marginal.table import effects_of_table
from reports.tables.cells import labels_of

__all__ = ["MOST_VALUES", "ParameterInfo", "ParametersInfo", "ValueInfo", "parameters_info"]

MOST_VALUES: Final = 12


@dataclass(frozen=True, slots=True)
class ValueInfo:
    """The complete candidates with one value of a parameter.

    Args:
        cell: How many there are, their plain mean, and the effect beyond what was tried in its place.
        best: The best quality among them.
    """

    cell: Cell
    best: float


@dataclass(frozen=True, slots=True)
class ParameterInfo:
    """One parameter.

    Args:
        name: Its column.
        values: Its values, the best first.
        share: What share of the differences in quality it accounts for; `None` where that is not known.
        alike: Other parameters that nearly always changed with it, so that they can hardly be told apart.
    """

    name: str
    values: tuple[ValueInfo, ...]
    share: Share | None
    alike: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ParametersInfo:
    """All that can be shown value by value.

    Args:
        parameters: The most important one first.
        beside: Parameters of many values, which the effects take into account as numbers.
        problem: Why there are no effects; empty where there are.
    """

    parameters: tuple[ParameterInfo, ...]
    beside: tuple[str, ...]
    problem: str


def parameters_info(record: TableRecord) -> ParametersInfo:
    """Return the parameters of 2 to 12 values, each of 2 candidates or more on average; see `reports.effects`."""
    rows = record.ranked[np.isfinite(record.ranked[record.quality.column])]
    texts = {name: pd.Series(labels_of(rows[name].tolist()), rows.index, object) for name in record.parameters}
    # A number that hardly any two candidates share says nothing value by value.
    names = [name for name, text in texts.items() if 2 <= text.nunique() <= min(MOST_VALUES, len(rows) // 2)]
    if not names:
        return ParametersInfo((), (), "")
    beside = tuple(name for name in record.parameters if name not in names and _is_number(rows[name]))
    told = rows.assign(**{name: texts[name] for name in names})
    effects = effects_of_table(told, record.quality, points=names, beside=beside)
    importance = importance_of(effects)
    shares = {share.name: share for share in importance.points} if importance is not None else {}
    found = [
        _parameter(record, told, line, name, shares.get(line.name), _alike(effects, line, name))
        for line in effects.points
        for name in line.names
    ]
    found.sort(key=lambda one: -one.share.value if one.share is not None else 0.0)
    return ParametersInfo(tuple(found), beside, effects.problem)


def _parameter(
    record: TableRecord, rows: pd.DataFrame, line: Line, name: str, share: Share | None, alike: tuple[str, ...]
) -> ParameterInfo:
    sign, qualities = record.quality.sign, rows[record.quality.column]
    values = [
        ValueInfo(cell, float(sign * (sign * qualities[rows[name] == label]).min()))
        for label, cell in line.cells.items()
    ]
    values.sort(key=lambda one: (-(one.cell.effect or 0.0), sign * one.cell.mean, one.cell.label))
    return ParameterInfo(name, tuple(values), share, alike)


def _alike(effects: Effects, line: Line, name: str) -> tuple[str, ...]:
    """Return the parameters that always, or nearly always, changed with one."""
    pairs = [(a, b) for a, b, _ in effects.alike]
    others = [b if a == line.name else a for a, b in pairs if line.name in (a, b)]
    return (*(other for other in line.names if other != name), *others)


def _is_number(values: pd.Series[Any]) -> bool:
    return values.dtype.kind != "c" and bool(pd.to_numeric(values, errors="coerce").notna().any())
