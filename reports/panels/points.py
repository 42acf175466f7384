"""Panel 3: what each fusion point of the verdict's candidate does: earns, is leant on, looks at images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fusion_ops.errors import DataError, RunError
from reports.judging import judgement_of
from reports.judging.judgement import Judgement
from reports.judging.rules import Outcome
from reports.measures import ABSENT, MEASURES, Measure
from reports.panels.panel import PANELS, Panel
from reports.phrases import signed_points
from reports.retrained.point_record import Effect, PointEffects, PointRecord, read_points
from reports.run.catalog import Catalog
from reports.run.run import RunRecord
from reports.views.forest import Forest, Labelled, forest
from reports.views.retrained import RetrainedView, retrained_view
from reports.views.weight_rows import WeightRow, WeightScale, weight_rows

__all__ = ["Gain", "PointsInfo", "points_info"]

COSTS = ("params", "flops", "latency")


@dataclass(frozen=True, slots=True)
class _Interval:
    gain: float
    low: float
    high: float
    p: float


@dataclass(frozen=True, slots=True)
class _LeantOn:
    """Trained networks compared with themselves, an operator less; see `reports.views.forest.Drawn`."""

    recipe: str
    seeds: int
    contrast: _Interval
    outcome: Outcome
    barred: bool = False


@dataclass(frozen=True, slots=True)
class Gain:
    """What is lost with the plain sum at one point, without an interval.

    Args:
        recipe: The recipe.
        point: Name of the fusion point.
        operator: What stands there.
        gain: What is lost, in words.
        costs: What the operator costs beyond the plain sum, in the order of `PointsInfo.cost_names`.
    """

    recipe: str
    point: str
    operator: str
    gain: str
    costs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PointsInfo:
    """What the panel shows.

    Args:
        retrained: The verdict on retrained networks, with what each point earned; `None` where there is none.
        command: The command that retrains, or that trains each point set back.
        record: What was seen in the trained networks; `None` where that is not of this candidate.
        several: Whether there are several recipes.
        leaning: Intervals of what is lost with the plain sum at one point; by recipe, the most first.
        gains: What is lost where there is no interval, in the same order.
        cost_names: What operators cost beyond the plain sum.
        costs: These costs, in the order of `leaning`.
        left: Points at which nothing can take the operator's place, or nothing says what is lost then, and why.
        weights: How operators weigh.
        scale: The scale of these weights.
        simplify: The command that exports without what is constant; empty where nothing is.
        problem: Why nothing was seen in the trained networks; empty where something was.
    """

    retrained: RetrainedView | None
    command: str
    record: PointRecord | None
    several: bool
    leaning: Forest | None
    gains: tuple[Gain, ...]
    cost_names: tuple[str, ...]
    costs: tuple[tuple[str, ...], ...]
    left: tuple[tuple[str, str], ...]
    weights: tuple[WeightRow, ...]
    scale: WeightScale
    simplify: str
    problem: str


def points_info(run: RunRecord, catalog: Catalog) -> PointsInfo:
    """Return what each point of the candidate earned, and what was seen in its trained networks."""
    judged, record, problem = _read(run)
    points = record.points if record is not None else ()
    leant = [(one, one.without) for one in _by_gain(points) if one.without is not None]
    drawn = [(one, labelled) for one, effect in leant if (labelled := _labelled(one, effect)) is not None]
    bare = [(one, effect) for one, effect in leant if _labelled(one, effect) is None]
    names = [name for name in COSTS if name != "latency" or any(one.latency_ms is not None for one in points)]
    rows, scale = weight_rows(points, run.quality)
    constant = judged is not None and any(row.constant and not row.word.endswith("image") for row in rows)
    return PointsInfo(
        retrained=None if judged is None else retrained_view(judged),
        command=run.retrain_command(*(["--ablate"] if judged is not None else [])),
        record=record,
        several=record is not None and len(record.trainings) > 1,
        leaning=forest([labelled for _, labelled in drawn], run.quality, 0.0 if record is None else record.margin),
        gains=tuple(_gain(one, effect, run.quality, names) for one, effect in bare),
        cost_names=tuple(MEASURES[name].label for name in names),
        costs=tuple(_costs(one, names) for one, _ in drawn),
        left=tuple(dict.fromkeys((one.point, one.why) for one in points if one.why)),
        weights=rows,
        scale=scale,
        simplify=run.export_command(judged.verdict.candidate, "--simplify") if judged and constant else "",
        problem=problem,
    )


def _read(run: RunRecord) -> tuple[Judgement | None, PointRecord | None, str]:
    """Return the verdict, what was seen in its candidate's networks, and why that is nothing."""
    try:
        judged = judgement_of(run)
    except (RunError, DataError) as error:
        return None, None, str(error)
    if judged is None:
        return None, None, ""
    try:
        record = read_points(run.path)
    except RunError as error:
        return judged, None, str(error)
    if record is None:
        return judged, None, ""
    if record.candidate != judged.verdict.candidate:
        return judged, None, "they were looked at before another network became the candidate."
    return judged, None if record.problem else record, record.problem


def _by_gain(points: Sequence[PointEffects]) -> list[PointEffects]:
    """Return points recipe by recipe, where the most is lost first."""
    recipes = list(dict.fromkeys(one.recipe for one in points))
    return sorted(points, key=lambda one: (recipes.index(one.recipe), -one.without.gain if one.without else 0.0))


def _labelled(one: PointEffects, found: Effect) -> Labelled | None:
    if found.low is None or found.high is None or found.p is None or found.outcome is None:
        return None
    interval = _Interval(found.gain, found.low, found.high, found.p)
    return Labelled(one.point, _LeantOn(one.recipe, one.seeds, interval, found.outcome), f"`{one.operator}`")


def _gain(one: PointEffects, found: Effect, measure: Measure, names: Sequence[str]) -> Gain:
    return Gain(one.recipe, one.point, one.operator, signed_points(measure, found.gain), _costs(one, names))


def _costs(one: PointEffects, names: Sequence[str]) -> tuple[str, ...]:
    return tuple(_cost(one, name) for name in names)


def _cost(one: PointEffects, name: str) -> str:
    value = {"params": one.params, "flops": one.flops, "latency": one.latency_ms}[name]
    if value is None:
        return ABSENT
    sign = "−" if value < 0 else "+" if value > 0 else ""
    return f"{sign}{MEASURES[name].format(abs(value))}"


PANELS.register("points")(Panel(5, "What each fusion point does", points_info, short="Fusion points"))
