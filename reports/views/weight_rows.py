"""The weights of attentional operators as rows of the report: drawn, in numbers, and in a word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reports.judging.failure_words import OUTCOME_WORDS
from reports.measures import Measure
from reports.phrases import signed_points, signed_range
from reports.retrained.point_record import Effect, PointEffects, Weights

__all__ = ["WeightRow", "WeightScale", "weight_rows"]

PARTS = {"images": "between images", "positions": "between positions", "channels": "between channels"}

# How far a scale may reach from 1 to either side, and what share of the values may lie beyond.
REACHES, BEYOND = (0.05, 0.1, 0.2, 0.5, 0.75, 1.0), 0.02


@dataclass(frozen=True, slots=True)
class WeightRow:
    """How an operator weighs one of its inputs.

    Args:
        point: Name of the fusion point.
        operator: What stands there.
        recipe: The recipe.
        values: Outline of the distribution of all values, in a box of 100 × 20.
        constants: That of the channels' means, which hangs from the upper edge of such a box.
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


@dataclass(frozen=True, slots=True)
class WeightScale:
    """The scale that all rows have in common.

    Args:
        left: Its left end.
        right: Its right end.
    """

    left: float
    right: float

    def place(self, value: float) -> float:
        """Return where a weight is, 0 to 100; what is beyond an end is at that end."""
        return round(100 * min(max((value - self.left) / (self.right - self.left), 0.0), 1.0), 2)


def weight_rows(points: Sequence[PointEffects], measure: Measure) -> tuple[tuple[WeightRow, ...], WeightScale]:
    """Return a row for each operator that weighs its inputs, and the scale that all of them have."""
    weights = [one.weights for one in points if one.weights is not None]
    scale = _scale(weights)
    rows = (_row(one, one.weights, measure, scale) for one in points if one.weights is not None)
    return tuple(rows), scale


def _scale(weights: Sequence[Weights]) -> WeightScale:
    """Return the narrowest of some scales around 1 that leaves out a fiftieth of the values at most."""
    end = float(max((one.inputs for one in weights), default=2))
    for reach in REACHES:
        scale = WeightScale(max(0.0, 1.0 - reach), min(end, 1.0 + reach))
        if all(_outside(one, scale) <= BEYOND for one in weights):
            return scale
    return WeightScale(0.0, end)


def _outside(weights: Weights, scale: WeightScale) -> float:
    step = weights.inputs / len(weights.values)
    middles = [(index + 0.5) * step for index in range(len(weights.values))]
    return sum(
        share for middle, share in zip(middles, weights.values, strict=True) if not scale.left <= middle <= scale.right
    )


def _row(point: PointEffects, weights: Weights, measure: Measure, scale: WeightScale) -> WeightRow:
    gain, interval, outcome = _lost(point.fixed, measure)
    return WeightRow(
        point=point.point,
        operator=point.operator,
        recipe=point.recipe,
        values=_outline(weights.values, weights.inputs, scale, upwards=True),
        constants=_outline(weights.constants, weights.inputs, scale, upwards=False),
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


def _outline(shares: Sequence[float], inputs: int, scale: WeightScale, *, upwards: bool) -> str:
    """Return the outline of a histogram from 0 to the number of inputs; its highest bar fills the box."""
    peak, step, foot = max(shares), inputs / len(shares), 20 if upwards else 0
    path = [f"M{scale.place(0.0):g},{foot}"]
    for index, share in enumerate(shares):
        left, right = scale.place(index * step), scale.place((index + 1) * step)
        if share and right > left:
            height = round(20 * share / peak, 2)
            level = foot - height if upwards else height
            path.append(f"H{left:g}V{level:g}H{right:g}V{foot}")
    return f"{''.join(path)}Z"
