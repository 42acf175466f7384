"""What can be measured of a candidate: its name, unit, direction, format and column in the table."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from fusion_ops.errors import ConfigError, RunError, SpecError, UnknownNameError
from fusion_ops.registry import Registry
from spaces.importing import imported, is_reference

__all__ = [
    "ABSENT",
    "AT",
    "DRIFT",
    "INT8",
    "MEASURES",
    "PLACES",
    "Direction",
    "Measure",
    "Style",
    "declare",
    "described",
    "quality_of",
    "split_place",
    "tested",
]

Direction = Literal["maximize", "minimize"]
Style = Literal["percent", "number", "count", "milliseconds", "bytes"]

ABSENT = "–"
AT = "@"
INT8 = "int8"
DRIFT = 0.1
"""By what share of their median the medians of a latency's blocks may differ."""
_COUNTS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_BYTES = ((2.0**40, "TiB"), (2.0**30, "GiB"), (2.0**20, "MiB"), (2.0**10, "KiB"))


@dataclass(frozen=True, slots=True)
class Measure:
    """One measure.

    Args:
        name: As the config calls it: `latency`, or with a place `latency@openvino`.
        label: As a person reads it, in the middle of a sentence too.
        direction: Whether more or less is better.
        style: How its values are written.
        column: Its column in the candidates table.
        quality: Whether it says after every epoch how good a network is.
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
    def base(self) -> str:
        """Name of the measure, without the place where it is taken."""
        return split_place(self.name)[0]

    @property
    def place(self) -> str:
        """Name of the place where it is taken, such as `openvino`; empty where that has none."""
        return split_place(self.name)[1]

    def at(self, place: str, words: str) -> Measure:
        """Return the same measure as it is taken at a place: `latency@openvino`, in a column of its own.

        Args:
            place: Name of the place.
            words: The place as a person reads it, after the label: `in OpenVINO`.
        """
        label, column = f"{self.label} {words}", f"{self.column}{AT}{place}"
        # It is measured once, after training: no epoch is chosen by it, so it is no quality here.
        return replace(self, name=f"{self.name}{AT}{place}", label=label, column=column, exact=False, quality=False)

    @property
    def cost(self) -> bool:
        """Whether it says what a network costs: it is no quality, wherever that is taken, and less is better."""
        return not self.quality and self.direction == "minimize" and self.place != INT8

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


class Measures(Registry[Measure]):
    """The measures by name; those that are taken at a place, `latency@openvino`, are derived when they are asked for.

    Iteration goes over what was registered, not over what is taken at a place.
    """

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self._derived: dict[str, Measure] = {}

    def __getitem__(self, name: str) -> Measure:
        base, place = split_place(name)
        if not place or super().__contains__(name) or base not in PLACES:
            return super().__getitem__(name)
        if name not in self._derived:
            self._derived[name] = super().__getitem__(base).at(place, PLACES[base](place))
        return self._derived[name]

    def declare(self, measure: Measure) -> None:
        """Register a measure, or keep what was derived elsewhere, unless its name is known already.

        Nothing is derived here: who reads a finished run needs no runtime of its user.
        """
        if measure.base in PLACES and measure.place:
            self._derived.setdefault(measure.name, measure)
        elif measure.name not in self._entries:
            self.register(measure.name)(measure)

    def __contains__(self, name: object) -> bool:
        if super().__contains__(name):
            return True
        try:
            return isinstance(name, str) and bool(self[name])
        except SpecError:
            return False


def split_place(name: str) -> tuple[str, str]:
    """Return the measure and the place of `measure@place`; the place is empty where there is none."""
    base, _, place = name.partition(AT)
    return base, place


def declare(measure: Measure) -> Measure:
    """Make a measure known that is not built in, and return it; what is known already stays as it is."""
    MEASURES.declare(measure)
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


def _in_runtime(place: str) -> str:
    from reports.runtimes import runtime_named

    # A user's class is not made here: its constructor may need what only its own machine has.
    runtime = imported(place) if is_reference(place) else runtime_named(place)
    title = getattr(runtime, "title", None)
    if not isinstance(title, str):
        raise SpecError(f"`{place}` has no `title`; see `reports.runtimes.Runtime` for what it is.")
    return f"in {title}"


def _in_precision(place: str) -> str:
    if place != INT8:
        raise UnknownNameError("precision", place, (INT8,))
    return f"in {INT8}"


_QUALITIES_OF_TASKS = ("accuracy", "balanced_accuracy", "f1", "map", "miou", "dice", "mae", "r2")

PLACES: dict[str, Callable[[str], str]] = {
    "latency": _in_runtime,
    **dict.fromkeys(_QUALITIES_OF_TASKS, _in_precision),
}
"""By measure, what says in words at which place it is taken, and raises a `SpecError` where there is no such place."""

MEASURES = Measures("objective")

for _measure in (
    Measure("accuracy", "accuracy", "maximize", "percent", "accuracy", quality=True),
    Measure("balanced_accuracy", "balanced accuracy", "maximize", "percent", "balanced_accuracy", quality=True),
    Measure("f1", "F1", "maximize", "percent", "f1", quality=True, note="mean over classes"),
    Measure("map", "mAP", "maximize", "percent", "map", quality=True),
    Measure("miou", "mIoU", "maximize", "percent", "miou", quality=True),
    Measure("dice", "Dice", "maximize", "percent", "dice", quality=True, note="mean over classes"),
    Measure("mae", "MAE", "minimize", "number", "mae", quality=True, note="in the unit of the labels"),
    Measure("r2", "R²", "maximize", "number", "r2", quality=True),
    Measure("loss", "loss", "minimize", "number", "loss", quality=True),
    Measure("params", "parameters", "minimize", "count", "params", exact=True),
    Measure("flops", "FLOPs", "minimize", "count", "flops", exact=True, note="2 × multiply-adds, one input"),
    Measure("latency", "latency", "minimize", "milliseconds", "latency_ms"),
    Measure("memory", "memory", "minimize", "bytes", "memory_bytes"),
):
    declare(_measure)
