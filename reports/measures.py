"""What can be measured of a candidate: its name, unit, direction, format and column in the table."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from fusion_ops.errors import ConfigError, RunError
from fusion_ops.registry import Registry

__all__ = ["ABSENT", "MEASURES", "Direction", "Measure", "Style", "declare", "described", "quality_of", "tested"]

Direction = Literal["maximize", "minimize"]
Style = Literal["percent", "number", "count", "milliseconds", "bytes"]

ABSENT = "–"
_COUNTS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_BYTES = ((2.0**40, "TiB"), (2.0**30, "GiB"), (2.0**20, "MiB"), (2.0**10, "KiB"))


@dataclass(frozen=True, slots=True)
class Measure:
    """One measure.

    Args:
        name: As the config calls it.
        label: As a person reads it, in the middle of a sentence too.
        direction: Whether more or less is better.
        style: How its values are written.
        column: Its column in the candidates table.
        quality: Whether it says how good a network is; all others are costs.
        exact: Whether it is known exactly before training.
        note: What a reader must know to compare values, in a few words.
    """

    name: str
    label: str
    direction: Direction
    style: Style
    column: str
    quality: bool = False
    exact: bool = False
    note: str = ""

    @property
    def sign(self) -> float:
        """Factor that turns the measure into one to minimise: -1 or 1."""
        return -1.0 if self.direction == "maximize" else 1.0

    @property
    def unit(self) -> str:
        """Unit of the values in the table; empty for counts and fractions."""
        return {"milliseconds": "ms", "bytes": "bytes"}.get(self.style, "")

    def loss(self, value: float | None) -> float:
        """Return a value to minimise; what was not measured is worse than everything."""
        return math.inf if value is None else self.sign * value

    def format(self, value: float | None) -> str:
        """Return a value as a person reads it, unit included: `97.21 %`, `24.1 k`, `3.2 ms`."""
        if value is None or not math.isfinite(value):
            return ABSENT
        if self.style == "percent":
            return f"{100 * value:.2f} %"
        if self.style == "milliseconds":
            return f"{value:.3g} ms"
        if self.style == "count":
            return _scaled(value, _COUNTS, "")
        if self.style == "bytes":
            return _scaled(value, _BYTES, "B")
        return f"{value:.4g}"

    def exactly(self, value: float | None) -> str:
        """Return a value in full: `24,123`, `0.97214`."""
        if value is None or not math.isfinite(value):
            return ABSENT
        if self.style in ("count", "bytes"):
            return f"{value:,.0f} {self.unit}".rstrip()
        return f"{value:.10g} {self.unit}".rstrip()


def declare(measure: Measure) -> Measure:
    """Make a measure known that is not built in, and return it; what is known already stays as it is."""
    if measure.name not in MEASURES:
        MEASURES.register(measure.name)(measure)
    return MEASURES[measure.name]


def described(values: Mapping[str, Any]) -> Measure:
    """Return the measure that `dataclasses.asdict` made `values` of.

    Raises:
        RunError: They describe no measure.
    """
    try:
        return Measure(**values)
    except TypeError as error:
        raise RunError(f"the run describes a measure wrongly: {error}.") from None


def quality_of(objectives: Iterable[str]) -> Measure:
    """Return the first objective that says how good a network is.

    Raises:
        UnknownNameError: An objective that is no measure.
        ConfigError: All of them are costs.
    """
    names = tuple(objectives)
    for name in names:
        if MEASURES[name].quality:
            return MEASURES[name]
    known = ", ".join(name for name in MEASURES if MEASURES[name].quality)
    raise ConfigError(f"`objectives` needs one of {known}; got {list(names)}.")


def tested(column: str) -> str:
    """Return the column that holds, of a retraining, a measure on the test images."""
    return f"test_{column}"


def _scaled(value: float, scales: Iterable[tuple[float, str]], base: str) -> str:
    """Return three significant digits with the largest prefix that keeps the number at least 1."""
    for scale, prefix in scales:
        # 999,950 rounds to 1.00 M, not to 1000 k.
        if abs(value) >= 0.9995 * scale:
            return f"{_three_digits(value / scale)} {prefix}"
    return f"{value:.4g} {base}".rstrip()


def _three_digits(value: float) -> str:
    decimals = 2 if abs(value) < 9.995 else 1 if abs(value) < 99.95 else 0
    return f"{value:.{decimals}f}"


MEASURES: Registry[Measure] = Registry("objective")

for _measure in (
    Measure("accuracy", "accuracy", "maximize", "percent", "accuracy", quality=True),
    Measure("miou", "mIoU", "maximize", "percent", "miou", quality=True),
    Measure("loss", "loss", "minimize", "number", "loss", quality=True),
    Measure("params", "parameters", "minimize", "count", "params", exact=True),
    Measure("flops", "FLOPs", "minimize", "count", "flops", exact=True, note="2 × multiply-adds, one input"),
    Measure("latency", "latency", "minimize", "milliseconds", "latency_ms"),
    Measure("memory", "memory", "minimize", "bytes", "memory_bytes"),
):
    declare(_measure)
