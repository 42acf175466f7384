"""By how much candidates break the constraints of a run.

The violation of a candidate is the sum of its excesses, each in proportion to its bound: Σ max(0, s (v − b)) / |b|,
with s = 1 for what may be at most b and −1 for what must be at least b. Deb (2002), "A fast and elitist multiobjective
genetic algorithm: NSGA-II", ranks by it what breaks constraints: the less, the better, and behind all that meets them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from reports.measures import ABSENT, MEASURES, Measure

__all__ = ["Excess", "bound_in_words", "excesses", "known_bounds", "percent", "violation_in_words", "violations"]


@dataclass(frozen=True, slots=True)
class Excess:
    """A constraint that a candidate breaks.

    Args:
        measure: What is constrained.
        bound: The most of it, or the least.
        value: What the candidate has.
    """

    measure: Measure
    bound: float
    value: float

    @property
    def relative(self) -> float:
        """The excess in proportion to the bound; as it is where the bound is 0."""
        return abs(self.value - self.bound) / (abs(self.bound) or 1.0)

    def __str__(self) -> str:
        return f"{self.measure.label} {self.measure.format(self.value)}, {percent(self.relative)} beyond"


def known_bounds(constraints: Mapping[str, Any]) -> dict[str, float]:
    """Return the bounds of a config by measure, as numbers."""
    return {name: float(bound) for name, bound in constraints.items() if isinstance(bound, int | float)}


def bound_in_words(measure: Measure, bound: float) -> str:
    """Return a constraint as a person reads it: `accuracy ≥ 90.00 %`."""
    return f"{measure.label} {'≥' if measure.direction == 'maximize' else '≤'} {measure.format(bound)}"


def percent(share: float) -> str:
    """Return a share of a bound: `0.4 %`, `51 %`."""
    return f"{100 * share:.2g} %" if share < 0.995 else f"{100 * share:,.0f} %"


def violation_in_words(violation: float | None) -> str:
    """Return a violation as a person reads it; what is not known as a dash."""
    return ABSENT if violation is None else percent(violation)


def excesses(values: Mapping[str, Any], bounds: Mapping[str, float]) -> tuple[Excess, ...]:
    """Return which bounds a row of the candidates table breaks; what was not measured breaks none."""
    return tuple(_broken(values, bounds))


def violations(table: pd.DataFrame, bounds: Mapping[str, float]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the violation of every row: 0 where all that is known meets its bound."""
    found = np.zeros(len(table))
    for name, bound in bounds.items():
        measure = MEASURES[name]
        if measure.column in table.columns:
            excess = measure.sign * (table[measure.column].to_numpy(np.float64) - bound)
            found += np.nan_to_num(np.maximum(excess, 0.0), nan=0.0) / (abs(bound) or 1.0)
    return found


def _broken(values: Mapping[str, Any], bounds: Mapping[str, float]) -> Iterator[Excess]:
    for name, bound in bounds.items():
        measure = MEASURES[name]
        value = values.get(measure.column)
        if value is not None and not math.isnan(value) and measure.sign * (value - bound) > 0:
            yield Excess(measure, bound, float(value))
