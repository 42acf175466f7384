"""Panel 3: what each fusion point of the verdict's candidate does: earns, is leant on, looks at images."""

from __future__ import annotations

from dataclasses import dataclass

from fusion_ops.errors import DataError, RunError
from reports.catalog import Catalog
from reports.commands import export_command, retrain_command
from reports.forest import Forest, Labelled, forest
from reports.judging import judgement_of
from reports.judging.judgement import Judgement
from reports.judging.rules import Outcome
from reports.measures import ABSENT, MEASURES, Measure
from reports.panel import PANELS, Panel
from reports.phrases import signed_points
from reports.point_record import PointEffects, PointRecord, read_points
from reports.retrained_view import RetrainedView, retrained_view
from reports.run import RunRecord
from reports.weight_rows import WeightRow, WeightScale, weight_rows

__all__ = ["PointsInfo", "points_info"]

COSTS = ("params", "flops", "latency")


@dataclass(frozen=True, slots=True)
class _Interval:
    gain: float
    low: float
    high: float
    p: float


@dataclass(frozen=True, slots=True)
class _LeantOn:
    """Trained networks compared with themselves, an operator less; see `reports.forest.Drawn`."""

    recipe: str
    seeds: int
    contrast: _Interval
    outcome: Outcome
    barred: bool = False


@dataclass(frozen=True, slots=True)
class PointsInfo:
    """What the panel shows.

    Args:
        retrained: The verdict on retrained networks, with what each point earned; `None` where there is none.
        command: The command that retrains, or that trains each point set back.
        record: What was seen in the trained networks; `None` where that is not of this candidate.
        several: Whether there are several recipes.
        leaning: Intervals of what is lost with the plain sum at one point, the most first.
        gains: The same without intervals, where there are none: point, operator and gain in words.
        cost_names: What operators cost beyond the plain sum.
        costs: These costs, in the order of `leaning`.
        left: Points at which nothing can take the operator's place, and why.
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
    gains: tuple[tuple[str, str, str], ...]
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
    leant = sorted((one for one in points if one.without), key=lambda one: -one.without.gain if one.without else 0.0)
    labelled = [found for one in leant if (found := _labelled(one)) is not None]
    names = [name for name in COSTS if name != "latency" or any(one.latency_ms is not None for one in points)]
    rows, scale = weight_rows(points, run.quality)
    constant = judged is not None and any(row.constant and not row.word.endswith("image") for row in rows)
    return PointsInfo(
        retrained=None if judged is None else retrained_view(judged),
        command=retrain_command(run.path, *(["--ablate"] if judged is not None else [])),
        record=record,
        several=record is not None and len(record.trainings) > 1,
        leaning=forest(labelled, run.quality, 0.0 if record is None else record.margin),
        gains=tuple(_gain(one, run.quality) for one in leant) if not labelled else (),
        cost_names=tuple(MEASURES[name].label for name in names),
        costs=tuple(tuple(_cost(one, name) for name in names) for one in leant),
        left=tuple(dict.fromkeys((one.point, one.why) for one in points if one.why)),
        weights=rows,
        scale=scale,
        simplify=export_command(run.path, judged.verdict.candidate, "--simplify") if judged and constant else "",
        problem=problem,
    )


def _read(run: RunRecord) -> tuple[Judgement | None, PointRecord | None, str]:
    """Return the verdict, what was seen in its candidate's networks, and why that is nothing."""
    try:
        judged = judgement_of(run)
        record = None if judged is None else read_points(run.path)
    except (RunError, DataError) as error:
        return None, None, str(error)
    if judged is None or record is None:
        return judged, None, ""
    if record.candidate != judged.verdict.candidate:
        return judged, None, "they were looked at before another network became the candidate."
    return judged, None if record.problem else record, record.problem


def _labelled(one: PointEffects) -> Labelled | None:
    found = one.without
    if found is None or found.low is None or found.high is None or found.p is None or found.outcome is None:
        return None
    interval = _Interval(found.gain, found.low, found.high, found.p)
    return Labelled(one.point, _LeantOn(one.recipe, one.seeds, interval, found.outcome), f"`{one.operator}`")


def _gain(one: PointEffects, measure: Measure) -> tuple[str, str, str]:
    return one.point, one.operator, "" if one.without is None else signed_points(measure, one.without.gain)


def _cost(one: PointEffects, name: str) -> str:
    value = {"params": one.params, "flops": one.flops, "latency": one.latency_ms}[name]
    if value is None:
        return ABSENT
    sign = "−" if value < 0 else "+" if value > 0 else ""
    return f"{sign}{MEASURES[name].format(abs(value))}"


PANELS.register("points")(Panel(3, "What each fusion point does", points_info))
