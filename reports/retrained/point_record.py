"""`points.json` in a run directory: what the candidate's retrained networks do at each fusion point.

It is made at the end of a retraining from its weights and the validation images, so that a report needs neither.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from fusion_ops.errors import RunError
from reports.atomic import write_text
from reports.comparison.outcome import Outcome

__all__ = ["POINTS_FILE", "Effect", "PointEffects", "PointRecord", "Weights", "read_points", "write_points"]

POINTS_FILE: Final = "points.json"
SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class Effect:
    """What the trained networks lose where something simpler takes an operator's place.

    Args:
        gain: What the operator adds, in the measure's unit, the mean over seeds and images; positive where the networks
            are better with it, of a loss, too.
        low: Lower end of its 95 % interval, `None` where there is none: of one seed, or a measure without images.
        high: Its upper end.
        p: Two-sided.
        outcome: What the interval shows.
    """

    gain: float
    low: float | None = None
    high: float | None = None
    p: float | None = None
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True)
class Weights:
    """How the weight of an operator's input varies over the validation images, the mean over seeds.

    Args:
        input: Which input, from 0; the one whose weight varies most, the first where they vary alike.
        inputs: How many there are; their weights sum to that.
        mean: Mean of the weight.
        std: Its standard deviation over everything.
        varying: Its standard deviation around the mean of its channel: 0 where it is constant.
        shares: Shares of its variance between `channels`, `images`, and `positions` of an image.
        images_range: The least and the largest share between images of any seed.
        values: Shares of all values in bins of one width from 0 to `inputs`.
        constants: The same of the channels' means.
        difference: How far the outputs are, with the channels' means in place of the weights, from what they were, in
            units of their deviation between images; the largest of any seed. `None`: without limit.
        constant: Whether that is little enough for a scaled sum to do.
    """

    input: int
    inputs: int
    mean: float
    std: float
    varying: float
    shares: Mapping[str, float]
    images_range: tuple[float, float]
    values: tuple[float, ...]
    constants: tuple[float, ...]
    difference: float | None
    constant: bool


@dataclass(frozen=True, slots=True)
class PointEffects:
    """What the networks of one recipe do at one fusion point.

    Args:
        point: Its name.
        operator: What stands there.
        recipe: The recipe.
        seeds: Networks that were looked at.
        params: Parameters of the operator beyond those of the plain sum.
        flops: FLOPs, likewise.
        latency_ms: Time of the operator alone beyond that of the plain sum; `None` where it could not be taken.
        why: Why nothing can take its place, or nothing says what was lost then; empty where something does.
        without: What is lost with the plain sum in its place.
        fixed: What is lost with the means of its weights in their place.
        weights: Its weights.
    """

    point: str
    operator: str
    recipe: str
    seeds: int
    params: int
    flops: int
    latency_ms: float | None = None
    why: str = ""
    without: Effect | None = None
    fixed: Effect | None = None
    weights: Weights | None = None


@dataclass(frozen=True, slots=True)
class PointRecord:
    """What the file says.

    Args:
        candidate: Id of the network that the verdict is about.
        trainings: By recipe, the numbers of its trainings that were looked at.
        margin: Differences below this count as the same.
        images: Validation images that were used.
        validation: Validation images that there are.
        statistics: Training images from which batch-norm statistics were taken anew; 0 where there are none.
        timed_on: The device on which operators were timed, and in which runtime: `cpu in OpenVINO`.
        seconds: How long all of it took.
        points: The points at which something else than the plain sum stands.
        problem: Why there is nothing; empty where there is.
        unusable: By recipe, the numbers of trainings that are left out of `points`, as weights of an operator are no
            finite numbers.
    """

    candidate: str
    trainings: Mapping[str, tuple[int, ...]]
    margin: float
    images: int = 0
    validation: int = 0
    statistics: int = 0
    timed_on: str = ""
    seconds: float = 0.0
    points: tuple[PointEffects, ...] = ()
    problem: str = ""
    unusable: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def is_of(self, other: PointRecord) -> bool:
        """Return whether both look at the same trainings on the same terms."""
        mine, theirs = ((one.candidate, one.trainings, one.margin) for one in (self, other))
        return mine == theirs

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> PointRecord:
        """Return the record that `dataclasses.asdict` described."""
        trainings, unusable = _numbers(values["trainings"]), _numbers(values.get("unusable") or {})
        points = tuple(map(_point, values["points"]))
        plain = {key: value for key, value in values.items() if key != "schema_version"}
        return cls(**plain | {"trainings": trainings, "unusable": unusable, "points": points})


def write_points(record: PointRecord, run_dir: str | Path) -> None:
    """Write `points.json`, whole or not at all.

    Raises:
        OSError: It cannot be written.
        ValueError: A number is not finite.
    """
    values = {"schema_version": SCHEMA_VERSION, **asdict(record)}
    write_text(Path(run_dir) / POINTS_FILE, json.dumps(values, ensure_ascii=False, allow_nan=False) + "\n")


def read_points(run_dir: str | Path) -> PointRecord | None:
    """Return what `points.json` says; `None` where there is none of this version.

    Raises:
        RunError: The file is damaged; the message names it.
    """
    path = Path(run_dir) / POINTS_FILE
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return PointRecord.from_dict(values) if values["schema_version"] == SCHEMA_VERSION else None
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        what = " ".join(str(error).split())
        raise RunError(f"{path} is damaged ({what}). Remove it; `fusion-nas retrain` writes it anew.") from None


def _numbers(by_recipe: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    return {recipe: tuple(numbers) for recipe, numbers in by_recipe.items()}


def _point(values: Mapping[str, Any]) -> PointEffects:
    effects = {name: None if values[name] is None else Effect(**values[name]) for name in ("without", "fixed")}
    weights = None if values["weights"] is None else _weights(values["weights"])
    return PointEffects(**{**values, **effects, "weights": weights})


def _weights(values: Mapping[str, Any]) -> Weights:
    lists = {name: tuple(values[name]) for name in ("images_range", "values", "constants")}
    return Weights(**{**values, **lists})
