"""What the report says of operators along a hyperparameter, in words. Code is marked by backticks."""

from __future__ import annotations

from typing import Any

from reports.candidates.hyperparameters import short_name, written
from reports.marginal.recipes import Along, Recipes
from reports.measures import Measure

__all__ = [
    "answer",
    "chance_word",
    "level_word",
    "likely_word",
    "quality_word",
    "question",
    "range_word",
    "setting_word",
]

_WORDS = {"lr": "learning rate", "augment": "augmentation"}


def setting_word(key: str) -> str:
    """Return a hyperparameter as a sentence has it: `learning rate` of `train.lr`."""
    name = short_name(key)
    return _WORDS.get(name, name)


def level_word(value: Any) -> str:
    """Return a value in a few words."""
    return written(value).replace("`", "'")


def question(along: Along) -> str:
    """Return what is asked of a hyperparameter."""
    return f"Does the best operator change with the {setting_word(along.factor.name)}?"


def answer(along: Along, found: Recipes) -> str:
    """Return what the candidates say to that, in a sentence or two."""
    if along.change is not None:
        (one, other), (first, second) = map(_code, along.change.operators), along.change.spans
        return (
            f"Yes: {one} is better than {other} {_span(along, first)}, {other} better than {one} "
            f"{_span(along, second)}."
        )
    levels = along.factor.levels
    if along.throughout:
        tried = (
            f"from {level_word(levels[0])} to {level_word(levels[-1])}" if along.factor.ordered else "that was tried"
        )
        return f"No: {_code(along.throughout)} is the best at every {setting_word(along.factor.name)} {tried}."
    places = (0, len(levels) - 1) if along.factor.ordered else range(len(levels))
    tops = [(int(along.best[:, place].argmax()), place) for place in places]
    likeliest = ", ".join(
        f"{_code(found.operators[top])} at {level_word(levels[place])} ({chance_word(along.best[top, place])})"
        for top, place in tops[:3]
    )
    return f"Not enough evidence from {found.size} candidates. The likeliest to be the best: {likeliest}."


def chance_word(chance: float) -> str:
    """Return a probability that was counted of draws: never 0, never 1."""
    percent = f"{100 * chance:.0f} %"
    return {"0 %": "under 1 %", "100 %": "over 99 %"}.get(percent, percent)


def likely_word(along: Along, levels: tuple[int, ...]) -> str:
    """Return levels that may be the best one: `0.05 to 0.2` of ordered ones, else all of them."""
    names = [level_word(along.factor.levels[level]) for level in levels]
    if len(names) == len(along.factor.levels):
        return "any"
    if along.factor.ordered and len(names) > 1:
        return f"{names[0]} to {names[-1]}"
    return " or ".join(names)


def quality_word(measure: Measure, gain: float) -> str:
    """Return a gain as the quality that it is."""
    return measure.format(-measure.sign * gain)


def range_word(measure: Measure, low: float, high: float) -> str:
    """Return an interval of gains as qualities, the smaller one first, within what a percentage can be."""
    first, last = sorted((-measure.sign * low, -measure.sign * high))
    if measure.style == "percent":
        first, last = max(first, 0.0), min(last, 1.0)
    return f"{measure.format(first).removesuffix(' %')} to {measure.format(last)}"


def _span(along: Along, span: tuple[int, int]) -> str:
    """Return where something holds: `up to 0.05`, `from 0.1 on`, `at 0.1`, `from 0.05 to 0.1`."""
    first, last = span
    names = [level_word(along.factor.levels[place]) for place in span]
    if not along.factor.ordered or first == last:
        several = [level_word(along.factor.levels[place]) for place in range(first, last + 1)]
        return f"at {' and '.join(several)}"
    if first == 0:
        return f"up to {names[1]}"
    if last == len(along.factor.levels) - 1:
        return f"from {names[0]} on"
    return f"from {names[0]} to {names[1]}"


def _code(name: str) -> str:
    """Return a name as code; it holds no backtick, which would end it."""
    return f"`{name.replace('`', chr(39))}`"
