"""Objectives as a caller names them, turned into measures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, get_args

from fusion_ops.errors import ConfigError, SpecError
from reports.measures import MEASURES, Direction, Measure
from reports.tables.own_columns import RESULTS

__all__ = ["Objectives", "quality_among", "resolved"]

Objectives = Sequence[str] | Mapping[Any, Direction]


def resolved(objectives: Objectives) -> tuple[Measure, ...]:
    """Return the measures that objectives name.

    Args:
        objectives: Names of known measures, `["accuracy", "params"]`; or names with their directions,
            `{"map50": "maximize", "gflops": "minimize"}`, each the name of a column as the table has it. A known
            measure keeps its unit and column when its direction is the known one.

    Returns:
        The measures in this order. Of those that are not known, what is maximised is a quality and what is minimised a
        cost; where nothing else is a quality, the first of them is one.

    Raises:
        UnknownNameError: A name without a direction is no measure.
        SpecError: There are none, one twice, one is called like a column of a ranking, or a direction is neither
            `maximize` nor `minimize`.
    """
    if isinstance(objectives, str) or not isinstance(objectives, Sequence | Mapping):
        raise SpecError(f"`objectives` is a list of names or a mapping of name to direction; got {objectives!r}.")
    names = [str(name) for name in objectives] if isinstance(objectives, Mapping) else list(objectives)
    if not names or len(set(names)) < len(names):
        raise SpecError(f"`objectives` has at least one name, and none twice; got {names}.")
    own = next((name for name in names if name in RESULTS), None)
    if own is not None:
        raise SpecError(f"`{own}` is a column that every ranking adds, so no objective; give the column another name.")
    if not isinstance(objectives, Mapping):
        return tuple(MEASURES[name] for name in names)
    measures = [_measure(name, direction) for name, direction in objectives.items()]
    first = next((index for index, one in enumerate(measures) if not _known(one)), None)
    if first is not None and not any(measure.quality for measure in measures):
        measures[first] = replace(measures[first], quality=True)
    return tuple(measures)


def quality_among(measures: Sequence[Measure]) -> Measure:
    """Return the first measure that says how good a network is.

    Raises:
        ConfigError: All of them are costs.
    """
    for measure in measures:
        if measure.quality:
            return measure
    known = ", ".join(name for name in MEASURES if MEASURES[name].quality)
    raise ConfigError(
        f"`objectives` needs one of {known}, or another quality with its direction; "
        f"got {[measure.name for measure in measures]}."
    )


def _measure(label: Any, direction: Direction) -> Measure:
    name = str(label)
    if direction not in get_args(Direction):
        raise SpecError(f"a direction is {' or '.join(get_args(Direction))}; got {direction!r} for `{name}`.")
    if name in MEASURES and MEASURES[name].direction == direction:
        return MEASURES[name]
    return Measure(name, name, direction, "number", name, quality=direction == "maximize")


def _known(measure: Measure) -> bool:
    return measure.name in MEASURES and MEASURES[measure.name] == measure
