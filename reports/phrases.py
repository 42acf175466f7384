"""Plain words for architectures and differences. Code is marked by backticks."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from fusion_ops import FusionChoice
from reports.measures import Measure
from spaces import Architecture

__all__ = [
    "decrease",
    "describe",
    "duration",
    "gain_range",
    "gained",
    "ratio",
    "signed_points",
    "signed_range",
    "uniform_operator",
]

NAMED_POINTS = 2
DIGITS = 3
# What takes more is written as a power of ten.
MOST_DECIMALS = 6
_LOWER = {"+": "lower", "−": "higher"}


def uniform_operator(architecture: Architecture) -> str | None:
    """Return the operator that stands at every point, or `None` where they differ."""
    operators = {choice.name for _, choice in architecture.choices}
    return operators.pop() if len(operators) == 1 else None


def describe(architecture: Architecture) -> str:
    """Return an architecture in a few words: "`iaff r=8` at the 3 deepest points, `sum` elsewhere"."""
    places: dict[FusionChoice, list[int]] = {}
    for index, (_, choice) in enumerate(architecture.choices):
        places.setdefault(choice, []).append(index)
    if len(places) == 1:
        return f"`{next(iter(places))}` everywhere"
    if len(places) == 2:
        rare, common = sorted(places, key=lambda choice: (len(places[choice]), -places[choice][-1]))
        names = [name for name, _ in architecture.choices]
        return f"`{rare}` {_place(places[rare], names)}, `{common}` elsewhere"
    return _mix(architecture)


def ratio(measure: Measure, value: float, base: float) -> str:
    """Return how a cost compares with another: "12 % fewer FLOPs", "1.8 × the parameters"."""
    if base <= 0:
        return f"{measure.format(value)} {measure.label}"
    factor = value / base
    less = "fewer" if measure.style == "count" else "less"
    if round(factor, 2) == 1:
        return f"the same {measure.label}" if factor == 1 else f"about the same {measure.label}"
    if factor >= 1.5:
        return f"{factor:.1f} × the {measure.label}"
    change = f"{100 * abs(1 - factor):.0f} %"
    return f"{change} {less if factor < 1 else 'more'} {measure.label}"


def signed_points(measure: Measure, difference: float, beside: Iterable[float] = ()) -> str:
    """Return a difference in a quality: "+0.62 points" of a percentage, "−0.0131" of a loss.

    A measure without a scale of its own has three digits of the largest of what stands together.

    Args:
        measure: The measure.
        difference: The difference.
        beside: Differences that stand beside it, and are to have as many decimals.
    """
    if measure.style == "percent":
        return f"{_signed(100 * difference, 2)} points"
    largest = max(abs(value) for value in (difference, *beside))
    return f"{_signed(difference, _decimals(largest))} {measure.unit}".rstrip()


def signed_range(measure: Measure, bounds: tuple[float, float], beside: Iterable[float] = ()) -> str:
    """Return an interval of differences: "−0.29 to +1.53 points"."""
    low, high = (signed_points(measure, bound, (*bounds, *beside)) for bound in bounds)
    return f"{low.removesuffix(' points')} to {high}"


def gained(measure: Measure, gain: float, beside: Iterable[float] = ()) -> str:
    """Return a gain as a person says it: "+0.62 points" of accuracy, "0.12 lower" of an error.

    Args:
        measure: The measure.
        gain: How much better something is; below 0 where it is worse.
        beside: Gains that stand beside it, and are to have as many decimals.
    """
    text = signed_points(measure, gain, beside)
    if measure.direction == "maximize" or text[0] not in _LOWER:
        return text
    return f"{text[1:]} {_LOWER[text[0]]}"


def gain_range(measure: Measure, bounds: tuple[float, float], beside: Iterable[float] = ()) -> str:
    """Return an interval of gains: "−0.29 to +1.53 points", "0.02 to 0.22 lower", "0.05 higher to 0.12 lower"."""
    if measure.direction == "maximize":
        return signed_range(measure, bounds, beside)
    low, high = (gained(measure, bound, (*bounds, *beside)) for bound in bounds)
    if low.endswith("lower") and high.endswith("lower"):
        return f"{low.removesuffix(' lower')} to {high}"
    if low.endswith("higher") and high.endswith("higher"):
        return f"{high.removesuffix(' higher')} to {low}"
    return f"{low} to {high}"


def decrease(measure: Measure) -> str:
    """Return what must be said of gains in a measure that is to be low; empty of all others."""
    return " (a gain is a decrease)" if measure.direction == "minimize" else ""


def duration(seconds: float) -> str:
    """Return a time span as people write it: `4.2 s`, `45 s`, `3 min 05 s`, `2 h 10 min`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    # Rounded to what is shown before it is divided, so that there are never 60 s or 60 min.
    whole, minutes = round(seconds), round(seconds / 60)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def _decimals(largest: float) -> int:
    """Return how many decimals show three digits of a number."""
    return max(0, DIGITS - 1 - math.floor(math.log10(largest))) if largest > 0 else 0


def _signed(value: float, decimals: int) -> str:
    text = f"{abs(value):,.{decimals}f}" if decimals <= MOST_DECIMALS else f"{abs(value):.{DIGITS - 1}e}"
    if float(text.replace(",", "")) == 0:
        return text
    return f"{'−' if value < 0 else '+'}{text}"


def _place(indices: Sequence[int], names: Sequence[str]) -> str:
    count, total = len(indices), len(names)
    together = indices[-1] - indices[0] + 1 == count
    if together and indices[-1] == total - 1:
        return "at the deepest point" if count == 1 else f"at the {count} deepest points"
    if together and indices[0] == 0:
        return "at the first point" if count == 1 else f"at the first {count} points"
    if count <= NAMED_POINTS:
        return "at " + " and ".join(f"`{names[index]}`" for index in indices)
    return f"at {count} of {total} points"


def _mix(architecture: Architecture) -> str:
    counts: dict[str, int] = {}
    for _, choice in architecture.choices:
        counts[choice.name] = counts.get(choice.name, 0) + 1
    parts = [f"{count} × `{op}`" for op, count in sorted(counts.items(), key=lambda item: -item[1])]
    if len(parts) == 1:
        return f"`{next(iter(counts))}` everywhere, with different settings{_resampled(architecture)}"
    return f"a mix of {', '.join(parts[:-1])} and {parts[-1]}{_resampled(architecture)}"


def _resampled(architecture: Architecture) -> str:
    """Return how often which resampler other than `bilinear` stands before them; empty where none does."""
    counts = Counter(choice.resampler for _, choice in architecture.choices if choice != choice.operator)
    return "".join(f", {count} after `{name}`" for name, count in sorted(counts.items()))
