"""What the candidates with each value of a parameter reached."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from scipy import stats

from reports.general.record import TableRecord

__all__ = ["MOST_VALUES", "ParameterInfo", "ValueMean", "parameters_info"]

MOST_VALUES: Final = 12
LEAST: Final = 3


@dataclass(frozen=True, slots=True)
class ValueMean:
    """The complete candidates with one value of a parameter.

    Args:
        value: The value.
        n: How many there are.
        mean: Mean of their quality.
        half: Half the 95 % interval of that mean, by Student's t; `None` with fewer than 3.
        best: The best quality among them.
    """

    value: str
    n: int
    mean: float
    half: float | None
    best: float


@dataclass(frozen=True, slots=True)
class ParameterInfo:
    """One parameter.

    Args:
        name: Its column.
        values: Its values, the best mean first.
    """

    name: str
    values: tuple[ValueMean, ...]


def parameters_info(record: TableRecord) -> tuple[ParameterInfo, ...]:
    """Return the parameters that have 2 to 12 values, each of 2 candidates or more on average.

    These are raw means: what else the candidates had is not taken into account.
    """
    ranking = record.ranked[np.isfinite(record.ranked[record.quality.column])]
    infos = (_parameter(record, name, ranking) for name in record.parameters)
    return tuple(info for info in infos if info is not None)


def _parameter(record: TableRecord, name: str, ranking: pd.DataFrame) -> ParameterInfo | None:
    texts = [record.settings(row).get(name) for row in ranking[list(record.parameters)].to_dict("records")]
    groups: dict[str, list[float]] = {}
    for text, value in zip(texts, ranking[record.quality.column], strict=True):
        if text is not None:
            groups.setdefault(text, []).append(float(value))
    # A number that hardly any two candidates share says nothing value by value.
    if not 2 <= len(groups) <= min(MOST_VALUES, len(ranking) // 2):
        return None
    sign = record.quality.sign
    means = [_mean(text, values, sign) for text, values in groups.items()]
    return ParameterInfo(name, tuple(sorted(means, key=lambda one: (sign * one.mean, one.value))))


def _mean(text: str, values: list[float], sign: float) -> ValueMean:
    many: Any = np.array(values)
    half = None
    if len(many) >= LEAST:
        half = float(stats.t.ppf(0.975, len(many) - 1) * many.std(ddof=1) / np.sqrt(len(many)))
    return ValueMean(text, len(many), float(many.mean()), half, float(sign * (sign * many).min()))
