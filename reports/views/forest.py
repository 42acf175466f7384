"""A forest plot: gains with their intervals below each other, on one scale of 0 to 100."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from reports.judging.failure_words import OUTCOME_WORDS
from reports.judging.rules import Outcome
from reports.measures import Measure
from reports.phrases import signed_points, signed_range
from reports.retrained.failures import NO_FAILURES, Failures

__all__ = ["Drawn", "Forest", "ForestRow", "Labelled", "Range", "forest"]

ROOM = 0.06
# An end of the scale is named where its name does not touch that of zero, even on a narrow screen.
NAMED_FROM = 28
# Outlines in a box from -8 to 8. Each outcome has a form of its own, so that none relies on its colour.
MARKS: Mapping[Outcome, str] = {
    "better": "M-6,-7L8,0L-6,7Z",
    "worse": "M6,-7L-8,0L6,7Z",
    "same": "M-6,-6H6V6H-6Z",
    "undecided": "M0,-6A6,6 0 1 1 0,6A6,6 0 1 1 0,-6Z",
}


class Range(Protocol):
    """A gain with its 95 % interval, as a `Contrast` is one."""

    @property
    def gain(self) -> float:
        """The gain."""

    @property
    def low(self) -> float:
        """Lower end."""

    @property
    def high(self) -> float:
        """Upper end."""

    @property
    def p(self) -> float:
        """Two-sided."""


class Drawn(Protocol):
    """What is drawn: two networks, or a network and itself without something, compared."""

    @property
    def recipe(self) -> str:
        """The recipe of both."""

    @property
    def seeds(self) -> int:
        """Seeds of each, at least."""

    @property
    def contrast(self) -> Range:
        """What came out."""

    @property
    def outcome(self) -> Outcome:
        """What it shows."""

    @property
    def barred(self) -> bool:
        """Whether it would be better, had it not diverged more often."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """A comparison and what it is called.

    Args:
        label: What the gain is over, or of.
        compared: The comparison.
        note: What else the table says of it.
        failures: Trainings that failed of the network that the row is about.
    """

    label: str
    compared: Drawn
    note: str = ""
    failures: Failures = NO_FAILURES


@dataclass(frozen=True, slots=True)
class ForestRow:
    """One interval, as numbers for drawing and in words.

    Args:
        label: What the gain is over, or of.
        note: What else the table says of it.
        recipe: The recipe.
        outcome: What the interval shows.
        low: Left end of the interval, 0 to 100.
        gain: The gain, 0 to 100.
        high: Right end of the interval, 0 to 100.
        mark: Outline of its mark.
        gain_label: The gain in words.
        interval: The interval in words.
        p: The p-value in words.
        outcome_label: The outcome in words.
        seeds: Seeds of each network, at least.
        failed: Trainings that failed of the network that the row is about, in words; a dash for none.
    """

    label: str
    note: str
    recipe: str
    outcome: Outcome
    low: float
    gain: float
    high: float
    mark: str
    gain_label: str
    interval: str
    p: str
    outcome_label: str
    seeds: int
    failed: str


@dataclass(frozen=True, slots=True)
class Forest:
    """Intervals on one scale.

    Args:
        rows: The intervals.
        zero: Where no difference is, 0 to 100.
        band: Ends of the margin, 0 to 100.
        worse_label: What the left end of the scale is called; empty where there is no room for it.
        better_label: What the right end is called.
        margin_label: The margin in words.
        failed: Whether trainings of one of the networks failed.
    """

    rows: tuple[ForestRow, ...]
    zero: float
    band: tuple[float, float]
    worse_label: str
    better_label: str
    margin_label: str
    failed: bool


@dataclass(frozen=True, slots=True)
class _Scale:
    left: float
    right: float

    def place(self, value: float) -> float:
        return round(100 * (value - self.left) / (self.right - self.left), 2)


def forest(labelled: Sequence[Labelled], measure: Measure, margin: float) -> Forest | None:
    """Return the forest plot of some comparisons; `None` where there are none."""
    if not labelled:
        return None
    contrasts = [one.compared.contrast for one in labelled]
    left = min([-margin, *(one.low for one in contrasts)])
    right = max([margin, *(one.high for one in contrasts)])
    room = ROOM * (right - left) or 1.0
    scale = _Scale(left - room, right + room)
    return Forest(
        rows=tuple(_row(one, measure, scale, (left, right)) for one in labelled),
        zero=scale.place(0.0),
        band=(scale.place(-margin), scale.place(margin)),
        worse_label="worse" if scale.place(0.0) > NAMED_FROM else "",
        better_label="better" if scale.place(0.0) < 100 - NAMED_FROM else "",
        margin_label=signed_points(measure, margin).replace("+", "±"),
        failed=any(one.failures for one in labelled),
    )


def _row(labelled: Labelled, measure: Measure, scale: _Scale, ends: tuple[float, float]) -> ForestRow:
    compared, contrast = labelled.compared, labelled.compared.contrast
    return ForestRow(
        label=labelled.label,
        note=labelled.note,
        recipe=compared.recipe,
        outcome=compared.outcome,
        low=scale.place(contrast.low),
        gain=scale.place(contrast.gain),
        high=scale.place(contrast.high),
        mark=MARKS[compared.outcome],
        gain_label=signed_points(measure, contrast.gain, ends),
        interval=signed_range(measure, (contrast.low, contrast.high), ends).removesuffix(" points"),
        p="< 0.001" if contrast.p < 0.001 else f"{contrast.p:.3f}",
        outcome_label=OUTCOME_WORDS[compared.outcome] + (" (diverges)" if compared.barred else ""),
        seeds=compared.seeds,
        failed=labelled.failures.shortly(),
    )
