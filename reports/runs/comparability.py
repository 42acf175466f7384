"""What of runs can be compared: same data, same split, same space, same training, same machine?"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from reports.measures import MEASURES
from reports.runs.side import Side
from spaces import Architecture

__all__ = ["Caveat", "caveats"]

_DATA: Final = ("name", "task", "classes", "input_shape", "other_shapes")
_SPLIT_KEYS: Final = ("data.seed", "data.val_fraction")
_TIMED: Final = ("latency", "memory")
_Z: Final = 1.96


@dataclass(frozen=True, slots=True)
class Caveat:
    """Something that differs, and what follows.

    Args:
        what: What differs: `data`, `split`, `space`, `training`, `machine`, `protocol`.
        sentence: What differs, in words.
        follows: What is comparable all the same, and what is not.
        volumes: What follows for hypervolumes alone, which stands beside them.
    """

    what: str
    sentence: str
    follows: str
    volumes: str


def caveats(sides: Sequence[Side]) -> tuple[Caveat, ...]:
    """Return what stands against comparing the runs, the gravest first; nothing when they differ in choices alone."""
    data = _data(sides)
    found = (
        data,
        None if data else _split(sides),
        _space(sides, same_data=data is None),
        _training(sides),
        _machine(sides),
        _protocol(sides),
    )
    return tuple(caveat for caveat in found if caveat is not None)


def _data(sides: Sequence[Side]) -> Caveat | None:
    unknown = [side.letter for side in sides if not side.run.dataset]
    if unknown:
        return Caveat(
            "data",
            f"The data set of {_and(unknown)} is not recorded.",
            "Whether qualities can be compared is not known; parameters and FLOPs can.",
            f"whether {_and(unknown)} dominates more than others is not known: the data set is not recorded",
        )
    seen = _groups(sides, lambda side: {key: side.run.dataset.get(key) for key in _DATA})
    if len(seen) == 1:
        return None
    named = [f"{side.letter}: {side.run.dataset.get('name')}" for side in sides]
    return Caveat(
        "data",
        f"The data sets differ ({', '.join(named)}).",
        "Qualities of different data cannot be compared, nor can fronts and hypervolumes that hold them. "
        "What differs between the configs can be read, and so can costs of networks for inputs of one shape.",
        "the data sets differ, so no share of one run can be compared with another's",
    )


def _split(sides: Sequence[Side]) -> Caveat | None:
    def split(side: Side) -> Mapping[str, Any]:
        recorded = {key: value for key, value in side.run.dataset.items() if key not in _DATA}
        data = side.run.config.get("data")
        stated = {key: data.get(key.partition(".")[2]) for key in _SPLIT_KEYS} if isinstance(data, Mapping) else {}
        return {**recorded, **stated}

    if len(_groups(sides, split)) == 1:
        return None
    return Caveat(
        "split",
        f"The same data set was split differently, by size or by seed.{_noise(sides)}",
        "Qualities were measured on other validation images: compare no single candidates by them. Costs can be "
        "compared, and fronts as far as they are further apart than that.",
        "qualities are of other validation images, which alone move a share",
    )


def _noise(sides: Sequence[Side]) -> str:
    """Return how far two validation sets alone put one network's accuracy apart."""
    quality = sides[0].run.quality
    counts = [side.run.dataset.get("validation") for side in sides]
    best = [side.ranked[quality.column].max() for side in sides if len(side.ranked)]
    if quality.name != "accuracy" or not best or not all(isinstance(count, int) and count > 0 for count in counts):
        return ""
    p = min(max(float(max(best)), 0.5), 1.0)
    least = sorted(float(count) for count in counts if count is not None)[:2]
    half = _Z * math.sqrt(p * (1 - p) * sum(1 / count for count in least))
    return f" Other images alone move an accuracy of {100 * p:.1f} % by up to {100 * half:.1f} points, 19 times of 20."


def _space(sides: Sequence[Side], *, same_data: bool) -> Caveat | None:
    if len(_groups(sides, _spaces)) == 1:
        return None
    return Caveat(
        "space",
        "The networks around the fusion points differ.",
        (
            "Fronts and hypervolumes can be compared: they say which network gives more for its cost. "
            if same_data
            else ""
        )
        + "Architectures cannot be compared: the same choice is at another place, and equal ids do not occur.",
        "the host networks differ, so a larger share may be the host network's doing, not that of the fusion",
    )


def _spaces(side: Side) -> list[str]:
    found = {_space_of(text) for text in side.run.table["architecture"] if text}
    return sorted(found) or [json.dumps(side.run.config.get("space"), sort_keys=True, default=str)]


def _space_of(architecture: str) -> str:
    try:
        return json.dumps(json.loads(architecture)["space"], sort_keys=True)
    except (ValueError, KeyError, TypeError):
        # It says what is wrong.
        return str(Architecture.from_json(architecture).space)


def _training(sides: Sequence[Side]) -> Caveat | None:
    if len(_groups(sides, lambda side: side.run.config.get("train"))) == 1:
        return None
    return Caveat(
        "training",
        "The candidates were trained differently.",
        "A better front can be due to the training alone, not to what was searched.",
        "the training differs, so a larger share may be the training's doing",
    )


def _machine(sides: Sequence[Side]) -> Caveat | None:
    timed = [name for side in sides for name in side.run.objectives if MEASURES[name].base in _TIMED]
    keys = ("cpu", "gpus", "torch")
    seen = _groups(sides, lambda side: {key: side.run.environment.get(key) for key in keys})
    if not timed or len(seen) == 1:
        return None
    labels = [MEASURES[name].label for name in dict.fromkeys(timed)]
    return Caveat(
        "machine",
        f"They ran on other hardware or versions, and {_and(labels)} was measured there.",
        f"Compare {_and(labels)} within a run only; parameters and FLOPs do not depend on the machine.",
        f"{_and(labels)} is of other hardware or versions, which alone move a share",
    )


def _protocol(sides: Sequence[Side]) -> Caveat | None:
    """Return that one objective was measured in different ways: latency of other batches is another measure."""
    timed = [name for name in sides[0].run.objectives if MEASURES[name].base == "latency"]
    if not timed or len(_groups(sides, lambda side: side.run.config.get("latency"))) == 1:
        return None
    labels = _and([MEASURES[name].label for name in timed])
    return Caveat(
        "protocol",
        f"{labels[0].upper()}{labels[1:]} was measured in different ways (keys `latency.*`).",
        f"Compare {labels} within a run only; parameters and FLOPs can be compared.",
        f"the objective {labels} was measured in different ways, so no share of one run can be compared with another's",
    )


def _groups(sides: Sequence[Side], key: Callable[[Side], Any]) -> list[str]:
    texts = {side.letter: json.dumps(key(side), sort_keys=True, default=str) for side in sides}
    return list(dict.fromkeys(texts.values()))


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
