"""The weights of attentional operators as rows of the report: drawn, in numbers, and in a word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reports.judging.words import OUTCOME_WORDS
from reports.measures import Measure
from reports.phrases import signed_points, signed_range
from reports.point_record import Effect, PointEffects, Weights

__all__ = ["WeightRow", "weight_rows"]

PARTS = {"images": "between images", "positions": "between positions", "channels": "between channels"}


@dataclass(frozen=True, slots=True)
class WeightRow:
    """How an operator weighs one of its inputs.

    Args:
        point: Name of the fusion point.
        operator: What stands there.
        recipe: The recipe.
        values: Outline of the distribution of all values, in a box of 100 × 20, from 0 to the number of inputs.
        constants: That of the channels' means, which hangs from the upper edge of such a box.
        one: Where 1 is, the weight in a sum, 0 to 100.
        end: The right end of the scale.
        input: Which input it is, in words.
        mean: Mean and standard deviation, in words.
        varying: The standard deviation around the means of channels, in words.
        shares: By part of the variance, its percentage and what it is called.
        images: The share between images, in words; of several trainings the least and the most.
        difference: How far outputs are with the channels' means in their place, in words.
        gain: What the networks lose then, in words.
        interval: Its interval, in words; empty where there is none.
        outcome: What that shows, in words; empty where there is none.
        constant: Whether a scaled sum would do.
        word: What all of it comes to.
    """

    point: str
    operator: str
    recipe: str
    values: str
    constants: str
    one: float
    end: int
    input: str
    mean: str
    varying: str
    shares: tuple[tuple[str, float, str], ...]
    images: str
    difference: str
    gain: str
    interval: str
    outcome: str
    constant: bool
    word: str


def weight_rows(points: Sequence[PointEffects], measure: Measure) -> tuple[WeightRow, ...]:
    """Return a row for each operator that weighs its inputs; all have one scale."""
    end = max((one.weights.inputs for one in points if one.weights is not None), default=0)
    return tuple(_row(one, one.weights, measure, end) for one in points if one.weights is not None)


def _row(point: PointEffects, weights: Weights, measure: Measure, end: int) -> WeightRow:
    gain, interval, outcome = _lost(point.fixed, measure)
    return WeightRow(
        point=point.point,
        operator=point.operator,
        recipe=point.recipe,
        values=_outline(weights.values, weights.inputs / end, upwards=True),
        constants=_outline(weights.constants, weights.inputs / end, upwards=False),
        one=round(100 / end, 2),
        end=end,
        input=f"input {weights.input + 1} of {weights.inputs}",
        mean=f"{weights.mean:.2f} ± {weights.std:.2f}",
        varying=f"{weights.varying:.2g}",
        shares=tuple((part, round(100 * weights.shares[part], 1), words) for part, words in PARTS.items()),
        images=_range(*weights.images_range),
        difference="without limit" if weights.difference is None else f"{100 * weights.difference:.2g} %",
        gain=gain,
        interval=interval,
        outcome=outcome,
        constant=weights.constant,
        word=_word(weights),
    )


def _word(weights: Weights) -> str:
    if not weights.constant:
        return "depends on the image"
    return "constant: a scaled sum would do" if weights.varying else "constant: looks at no image"


def _lost(effect: Effect | None, measure: Measure) -> tuple[str, str, str]:
    if effect is None:
        return "", "", ""
    gain = signed_points(measure, effect.gain)
    if effect.low is None or effect.high is None or effect.outcome is None:
        return gain, "", ""
    interval = signed_range(measure, (effect.low, effect.high)).removesuffix(" points")
    return gain, interval, OUTCOME_WORDS[effect.outcome]


def _range(least: float, most: float) -> str:
    low, high = round(100 * least), round(100 * most)
    return f"{low} %" if low == high else f"{low} to {high} %"


def _outline(shares: Sequence[float], width: float, *, upwards: bool) -> str:
    """Return the outline of a histogram whose highest bar fills the box."""
    peak, step = max(shares), 100 * width / len(shares)
    foot = 20 if upwards else 0
    path = [f"M0,{foot}"]
    for index, share in enumerate(shares):
        height = 20 * share / peak if peak else 0.0
        level = round(foot - height if upwards else height, 2)
        path.append(f"L{index * step:.2f},{level}L{(index + 1) * step:.2f},{level}")
    return f"{''.join(path)}L{100 * width:.2f},{foot}Z"
