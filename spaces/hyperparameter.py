"""Hyperparameters that are searched beside the choices: a list of values, or a range."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Protocol

from fusion_ops.errors import SpecError
from spaces.architecture import frozen
from spaces.slot import Trial

__all__ = [
    "HOST",
    "LEVELS",
    "Hyperparameter",
    "HyperparameterTrial",
    "Range",
    "Searched",
    "Values",
    "label",
    "logarithmic",
]

# What the name of a setting of the host network begins with; all others are settings of the training.
HOST = "space."
LEVELS = 33
# Where the largest of some values is so many times the smallest, they lie by their logarithms.
DECADE = 8.0


class HyperparameterTrial(Trial, Protocol):
    """What `Searched.suggest` needs of an Optuna trial."""

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """Return a number from a range."""

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        """Return a whole number from a range."""


def label(value: Any) -> Any:
    """Return a value as trials and tables keep it: a list of names, such as augmentations, as text."""
    return ", ".join(map(str, value)) or "none" if isinstance(value, list | tuple) else value


class Searched(ABC):
    """A key and the values that it may have.

    Args:
        name: Its key: `train.lr`, `space.width`, or any other name in a user's own study.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    def of_host(self) -> bool:
        """Whether it is a setting of the host network, on which exact costs depend."""
        return self.name.startswith(HOST)

    @property
    def key(self) -> str:
        """Its name within its section: `lr` of `train.lr`."""
        return self.name.partition(".")[2]

    @property
    @abstractmethod
    def ordered(self) -> bool:
        """Whether its values are numbers, which lie more or less far apart; else they are categories."""

    @property
    @abstractmethod
    def whole(self) -> bool:
        """Whether its levels are all values that it may have."""

    @property
    @abstractmethod
    def levels(self) -> tuple[Any, ...]:
        """The values that samplers of fusion-nas propose, numbers in order."""

    @cached_property
    def places(self) -> tuple[float, ...]:
        """Where each level lies, from 0 to 1; of categories 0."""
        return tuple(self.place(value) if self.ordered else 0.0 for value in self.levels)

    @abstractmethod
    def place(self, value: float) -> float:
        """Return where a number lies: 0 at the smallest value, 1 at the largest."""

    @abstractmethod
    def level(self, value: Any) -> int | None:
        """Return the index of the level that a value is at, or nearest to; `None` where it is none of the values."""

    def contains(self, value: Any) -> bool:
        """Return whether a value may be had."""
        return self.level(value) is not None

    @abstractmethod
    def suggest(self, trial: HyperparameterTrial) -> Any:
        """Return a value chosen by an Optuna trial."""


class Values(Searched):
    """A list of values.

    Numbers are ordered: they lie by their logarithms where the largest is at least eight times the smallest, else
    linearly. Everything else is a category.

    Args:
        name: Its key.
        values: The values: numbers, text, true, false, null, or lists of text.

    Raises:
        SpecError: There are none, or one twice.
    """

    def __init__(self, name: str, values: Sequence[Any]) -> None:
        super().__init__(name)
        self.values = tuple(frozen(value) for value in values)
        labels = [label(value) for value in self.values]
        if not labels or any(_same(one, other) for index, one in enumerate(labels) for other in labels[:index]):
            raise SpecError(f"`{name}` must name at least one value, and none twice; got {list(values)}.")

    @property
    def ordered(self) -> bool:
        """Whether there are several values, and all are numbers."""
        return len(self.values) > 1 and all(map(_is_number, self.values))

    @property
    def whole(self) -> bool:
        """True: a list has no other values."""
        return True

    @cached_property
    def levels(self) -> tuple[Any, ...]:
        """The values, numbers in order."""
        return tuple(sorted(self.values)) if self.ordered else self.values

    def place(self, value: float) -> float:
        """Return where a number lies between the smallest and the largest."""
        low, high = self.levels[0], self.levels[-1]
        return _place(value, low, high, log=logarithmic(low, high))

    def level(self, value: Any) -> int | None:
        """Return the index of a value; `None` where it is not in the list."""
        wanted = label(value)
        return next((index for index, known in enumerate(self.levels) if _same(label(known), wanted)), None)

    def suggest(self, trial: HyperparameterTrial) -> Any:
        """Return one of the values."""
        chosen = trial.suggest_categorical(self.name, [label(value) for value in self.values])
        return next(value for value in self.values if _same(label(value), chosen))

    def __repr__(self) -> str:
        return f"Values({self.name!r}, {list(self.values)!r})"


class Range(Searched):
    """Numbers from `low` to `high`: whole ones where `low`, `high` and `step` are.

    Samplers of fusion-nas propose 33 levels of it, rounded to three digits, or all of its values where these are fewer.

    Args:
        name: Its key.
        low: The smallest value.
        high: The largest value.
        log: Whether numbers lie by their logarithms; else linearly.
        step: What the values are apart, from `low` on; whole numbers are 1 apart.

    Raises:
        SpecError: No numbers, `low` is not less than `high`, `log` from 0 or less, a step that does not fit, or `log`
            and `step` together.
    """

    def __init__(self, name: str, low: float, high: float, *, log: bool = False, step: float | None = None) -> None:
        super().__init__(name)
        _check(name, low, high, log, step)
        self.low, self.high, self.log, self.step = low, high, log, step
        self.integer = all(type(number) is int for number in (low, high, 1 if step is None else step))
        self.stepped = step is not None or (self.integer and not log)
        steps = (high - low) // int(step or 1) if self.integer else math.floor((high - low) / (step or 1) * (1 + 1e-12))
        self._count = int(steps) + 1

    @property
    def ordered(self) -> bool:
        """True: numbers are."""
        return True

    @property
    def whole(self) -> bool:
        """Whether there are at most 33 values."""
        return self.stepped and self._count <= LEVELS

    @cached_property
    def levels(self) -> tuple[Any, ...]:
        """All values where they are few, else 33 of them."""
        if self.stepped:
            last = self._count - 1
            picked = dict.fromkeys(min(round(index * last / (LEVELS - 1)), last) for index in range(LEVELS))
            indices = range(self._count) if self.whole else picked
            return tuple(self._number(self.low + (self.step or 1) * index, digits=12) for index in indices)
        # One more digit for each power of ten by which the range is narrower than its numbers are large.
        narrow = math.floor(math.log10(max(abs(self.low), abs(self.high)) / (self.high - self.low)))
        digits = 3 + max(narrow, 0)
        inside = (self._number(self._at(index / (LEVELS - 1)), digits) for index in range(1, LEVELS - 1))
        return tuple(
            dict.fromkeys([self.low, *(number for number in inside if self.low < number < self.high), self.high])
        )

    def place(self, value: float) -> float:
        """Return where a number lies between `low` and `high`."""
        return _place(value, self.low, self.high, log=self.log)

    def level(self, value: Any) -> int | None:
        """Return the index of the nearest level; `None` for what is no number, or outside."""
        if not _is_number(value) or not self.low <= value <= self.high:
            return None
        place = self.place(value)
        return min(range(len(self.levels)), key=lambda index: abs(self.places[index] - place))

    def suggest(self, trial: HyperparameterTrial) -> Any:
        """Return a number from the range."""
        if self.integer:
            step = int(self.step or 1)
            return int(trial.suggest_int(self.name, int(self.low), int(self.high), step=step, log=self.log))
        value = trial.suggest_float(self.name, float(self.low), float(self.high), step=self.step, log=self.log)
        # Steps add up what is rounded: 0.7000000000000001.
        return frozen(self._number(value, digits=12) if self.stepped else float(value))

    def _at(self, place: float) -> float:
        if self.log:
            return float(self.low * (self.high / self.low) ** place)
        return self.low + place * (self.high - self.low)

    def _number(self, value: float, digits: int) -> float:
        return round(value) if self.integer else float(f"{value:.{digits}g}")

    def __repr__(self) -> str:
        return f"Range({self.name!r}, {self.low}, {self.high}, log={self.log}, step={self.step})"


Hyperparameter = Values | Range


def _check(name: str, low: float, high: float, log: bool, step: float | None) -> None:
    if not (_is_number(low) and _is_number(high)):
        raise SpecError(f"`low` and `high` of `{name}` must be numbers; got {low!r} and {high!r}.")
    if not low < high:
        raise SpecError(f"`low` of `{name}` must be less than `high`; got {low!r} and {high!r}.")
    if not isinstance(log, bool):
        raise SpecError(f"`log` of `{name}` must be true or false; got {log!r}.")
    if step is not None and (not _is_number(step) or not 0 < step <= high - low):
        raise SpecError(f"`step` of `{name}` must be a number above 0, at most {high - low:g}; got {step!r}.")
    if log and step is not None:
        raise SpecError(f"`{name}` has `log` or `step`, not both: leave one of them out.")
    if log and low <= 0:
        raise SpecError(f"`low` of `{name}` must be above 0 where `log` is true; got {low!r}.")


def logarithmic(low: float, high: float) -> bool:
    """Return whether numbers from `low` to `high` that nobody says more of lie by their logarithms."""
    return low > 0 and high / low >= DECADE


def _place(value: float, low: float, high: float, *, log: bool) -> float:
    return math.log(value / low) / math.log(high / low) if log else (value - low) / (high - low)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _same(one: Any, other: Any) -> bool:
    """Return whether two labels are the same; true is not 1."""
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)
