"""Effects and importance of the candidates of any table, as tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fusion_ops.errors import DataError, SpecError
from reports.candidates.candidate import RANDOM
from reports.candidates.table import RANKED_KINDS
from reports.marginal.cells import Effects, effects_of
from reports.marginal.decisions import decisions
from reports.marginal.design import Choice
from reports.marginal.shares import importance_of
from reports.measures import Measure
from reports.tables.cells import labels_of
from reports.tables.names import named_as_text
from reports.tables.objectives import Objectives, quality_among, resolved
from spaces import Architecture

__all__ = ["effects", "effects_of_table", "importance", "standardised"]

Of = Literal["operator", "r"]
OBJECTIVES = ("accuracy", "params")
# What spans more than this factor is taken by its logarithm.
_SPAN = 10.0


def effects(
    table: pd.DataFrame,
    objectives: Objectives = OBJECTIVES,
    *,
    of: str = "operator",
    points: Sequence[Any] | None = None,
    beside: Sequence[Any] = (),
) -> pd.DataFrame:
    """Return what each operator at each point adds to the quality, given all else that the candidates had.

    A linear model of the quality has an effect for each operator at each point, one for each operator at all points,
    and one for each r of an operator; all are shrunk as the evidence has it; see `reports.marginal.shrinkage`.

    Args:
        table: The candidates table; the complete candidates of the search, its baselines and those of the
            series `random` count.
        objectives: The objectives, as of `reports.rank`; the first quality among them is explained.
        of: `operator`, or `r` for the r of each operator, at all points together.
        points: Columns to take in place of the fusion points in `architecture`: their values are the operators. An
            empty cell is `not set`, an empty text `""`.
        beside: Columns of numbers that differ between the candidates beside that, such as `train.lr`.

    Returns:
        A row for each point and operator (`of="r"`: operator and r): `n` candidates that have it, their plain `mean`,
        the `effect` beyond the mean of what was tried in its place, more being better, `low` and `high` of its 95 %
        interval, and whether there is `evidence` that it differs from 0. Points that always had the same operator as
        each other stand in one row, their names joined by commas. Where resamplers differ at a point, there are rows
        of `merge1 resampler`, whose operators are the resamplers. Without a model the effects are empty.

    Raises:
        DataError: It is no table, or a column is missing.
        SpecError: `of` is something else, `points` or `beside` is no list, or architectures are damaged or of
            several spaces.
        UnknownNameError: An objective that is no measure.
        ConfigError: No objective says how good a network is.
    """
    if of not in get_args(Of):
        raise SpecError(f"`of` must be one of {', '.join(get_args(Of))}; got {of!r}.")
    found = effects_of_table(table, quality_among(resolved(objectives)), points=points, beside=beside)
    lines = found.points if of == "operator" else found.ratios
    names = ("point", "operator") if of == "operator" else ("operator", "r")
    rows = [
        (
            line.name,
            label if of == "operator" else int(label),
            cell.n,
            cell.mean,
            cell.effect,
            cell.low,
            cell.high,
            cell.evidence,
        )
        for line in lines
        for label, cell in line.cells.items()
    ]
    out = pd.DataFrame(rows, columns=[*names, "n", "mean", "effect", "low", "high", "evidence"])
    return out.astype({"mean": float, "effect": float, "low": float, "high": float, "evidence": bool})


def importance(
    table: pd.DataFrame,
    objectives: Objectives = OBJECTIVES,
    *,
    points: Sequence[Any] | None = None,
    beside: Sequence[Any] = (),
) -> pd.DataFrame:
    """Return what share of the differences in quality each fusion point accounts for.

    Points for which there is evidence come first, of these the largest.

    Args:
        table: As of `effects`.
        objectives: As of `effects`.
        points: As of `effects`.
        beside: As of `effects`.

    Returns:
        A row for each point: its `importance`, 0 to 1, the share of the variance that it would have among networks
        drawn at random; `low` and `high` of its 95 % bootstrap interval; and whether there is `evidence` that it
        matters which operator stands there, with an error of 1 % over all points. Points that always had the same
        operator as each other stand in one row. Without a model there is no row.

    Raises:
        DataError: It is no table, or a column is missing.
        SpecError: `points` or `beside` is no list, or architectures are damaged or of several spaces.
        UnknownNameError: An objective that is no measure.
        ConfigError: No objective says how good a network is.
    """
    found = importance_of(effects_of_table(table, quality_among(resolved(objectives)), points=points, beside=beside))
    shares = found.points if found is not None else ()
    rows = [(share.name, share.value, share.low, share.high, share.evidence) for share in shares]
    out = pd.DataFrame(rows, columns=["point", "importance", "low", "high", "evidence"])
    return out.astype({"importance": float, "low": float, "high": float, "evidence": bool})


def effects_of_table(
    table: pd.DataFrame, quality: Measure, *, points: Sequence[Any] | None = None, beside: Sequence[Any] = ()
) -> Effects:
    """Return the effects on a quality; see `effects`."""
    table = named_as_text(table)
    for option, given in (("points", points), ("beside", beside)):
        if isinstance(given, str):
            raise SpecError(f"`{option}` is a list of columns; got {given!r}. Write [{given!r}].")
        if given is not None and not isinstance(given, Iterable):
            raise SpecError(f"`{option}` is a list of columns; got {given!r}.")
    named = [] if points is None else [str(name) for name in points]
    beside = [str(name) for name in beside]
    for column in (quality.column, *(["architecture"] if points is None else named), *beside):
        if column not in table.columns:
            raise DataError(f"the table needs a column `{column}`; it has {', '.join(table.columns)}.")
    rows = _counted(table, quality)
    names, chosen = _columns(rows, named) if points is not None else _architectures(rows)
    values = rows[quality.column].to_numpy(np.float64)
    return effects_of(names, chosen, -quality.sign * values, sign=-quality.sign, beside=standardised(rows, beside))


def standardised(table: pd.DataFrame, columns: Sequence[str]) -> NDArray[np.float64] | None:
    """Return columns of numbers, `(n, c)`, in units of their standard deviations; `None` where nothing differs."""
    found = []
    for column in columns:
        values = pd.to_numeric(table[column], errors="coerce").to_numpy(np.float64)
        known = values[np.isfinite(values)]
        if len(known) == 0 or np.ptp(known) == 0:
            continue
        if known.min() > 0 and known.max() / known.min() >= _SPAN:
            values, known = np.log(values), np.log(known)
        found.append(np.nan_to_num((values - known.mean()) / known.std(), nan=0.0, posinf=0.0, neginf=0.0))
    return np.stack(found, axis=1) if found else None


def _counted(table: pd.DataFrame, quality: Measure) -> pd.DataFrame:
    """Return the complete candidates that count and have a quality, each architecture once.

    Those of the search and its baselines, and what was drawn at random to compare the search with.
    """
    rows: pd.DataFrame = table[np.isfinite(pd.to_numeric(table[quality.column], errors="coerce"))]
    if "state" in rows.columns:
        rows = rows[rows["state"] == "complete"]
    if "kind" in rows.columns:
        counted = rows["kind"].isin(RANKED_KINDS)
        rows = rows[counted | (rows["series"] == RANDOM) if "series" in rows.columns else counted]
    return rows.drop_duplicates("id") if "id" in rows.columns else rows


def _columns(table: pd.DataFrame, points: Sequence[str]) -> tuple[list[str], list[list[Choice]]]:
    labels = pd.DataFrame(
        {point: labels_of(table[point].tolist()) for point in points}, index=table.index, dtype=object
    )
    return list(points), [[(label, None) for label in row] for row in labels.itertuples(index=False)]


def _architectures(table: pd.DataFrame) -> tuple[list[str], list[list[Choice]]]:
    found = [Architecture.from_json(text) for text in table["architecture"]]
    if not found:
        return [], []
    names = [name for name, _ in found[0].choices]
    for one in found:
        if [name for name, _ in one.choices] != names:
            raise SpecError(f"all candidates must have the same fusion points; {found[0].id} and {one.id} have not.")
    return decisions(found)
