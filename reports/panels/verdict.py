"""Panel 1: the verdict in a plain sentence, with what it rests on."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from fusion_ops.errors import DataError, RunError
from reports.judging import judgement_of
from reports.judging.judgement import Judgement
from reports.measures import MEASURES, Measure
from reports.panels.panel import PANELS, Panel
from reports.phrases import duration, signed_points
from reports.run.audits import Audit, audit
from reports.run.catalog import Catalog
from reports.run.run import RunRecord
from reports.run.search_verdict import Budget, Comparison, SearchVerdict, search_verdict
from reports.views.retrained import RetrainedView, retrained_view

NO_BREAK = "\u00a0"

__all__ = ["IntervalBar", "VerdictInfo", "verdict_info"]


@dataclass(frozen=True, slots=True)
class IntervalBar:
    """A gain and its interval on a line of 0 to 100, for drawing.

    Args:
        low: Left end of the interval.
        gain: The gain.
        high: Right end of the interval.
        zero: Where no difference is.
        label: The gain in words.
        low_label: The left end in words.
        high_label: The right end in words.
    """

    low: float
    gain: float
    high: float
    zero: float
    label: str
    low_label: str
    high_label: str


@dataclass(frozen=True, slots=True)
class VerdictInfo:
    """What the panel shows.

    Args:
        verdict: The verdict of the search alone.
        bar: The gain over the reference with its interval, where there is one.
        measures: Measures shown of the runners-up.
        facts: Budget figures: label, value, note.
        retrained: The verdict on retrained networks, which comes first where there is one.
        command: The command of the next step: to retrain, or to export what is better; empty where there is none.
        problem: Why there is no verdict on what was retrained; empty where nothing is in the way.
    """

    verdict: SearchVerdict
    bar: IntervalBar | None
    measures: tuple[Measure, ...]
    facts: tuple[tuple[str, str, str], ...]
    retrained: RetrainedView | None
    command: str
    problem: str


def verdict_info(run: RunRecord, catalog: Catalog) -> VerdictInfo:
    """Return the verdict and what is drawn beside it."""
    result = search_verdict(run, catalog)
    judged, problem = _judged(run)
    shown = dict.fromkeys([catalog.quality, *catalog.measures[:2], MEASURES["params"], MEASURES["flops"]])
    return VerdictInfo(
        verdict=result,
        bar=_bar(result.comparison),
        measures=tuple(shown),
        facts=(*_facts(result.budget), *_wrong_stops(audit(run.table)), *_retrained(run.retrained)),
        retrained=None if judged is None else retrained_view(judged),
        command="" if problem else _next(run, result, judged),
        problem=problem,
    )


def _judged(run: RunRecord) -> tuple[Judgement | None, str]:
    """Return the verdict on what was retrained, or why there is none: a lost file leaves the rest readable."""
    try:
        return judgement_of(run), ""
    except (RunError, DataError) as error:
        return None, str(error)


def _next(run: RunRecord, searched: SearchVerdict, judged: Judgement | None) -> str:
    if judged is None:
        return run.retrain_command() if searched.best is not None else ""
    return run.export_command(judged.verdict.candidate) if judged.verdict.outcome == "better" else ""


def _bar(comparison: Comparison | None) -> IntervalBar | None:
    if comparison is None or comparison.interval is None:
        return None
    low, high = comparison.interval
    left, right = min(low, 0.0), max(high, 0.0)
    margin = 0.16 * (right - left)
    left, right = left - margin, right + margin

    def place(value: float) -> float:
        return round(100 * (value - left) / (right - left), 2)

    return IntervalBar(
        place(low),
        place(comparison.gain),
        place(high),
        place(0.0),
        *(signed_points(comparison.measure, value) for value in (comparison.gain, low, high)),
    )


def _facts(budget: Budget) -> list[tuple[str, str, str]]:
    of_trials = f"of {budget.trials:,} planned" if budget.trials is not None else ""
    facts = [("candidates trained", f"{budget.trained:,}", of_trials)]
    saved = ""
    if budget.full_epochs and budget.epochs < budget.full_epochs:
        saved = f"{100 * (1 - budget.epochs / budget.full_epochs):.0f} % fewer than in full"
    facts.append(("epochs", f"{budget.epochs:,}", saved))
    workers = f"on {budget.workers} worker{'s' if budget.workers != 1 else ''}" if budget.workers else ""
    facts.append(("time in training", duration(budget.seconds), workers))
    if budget.elapsed is not None:
        facts.append(("elapsed", duration(budget.elapsed), "first start to last end"))
    return facts


def _retrained(rows: pd.DataFrame) -> list[tuple[str, str, str]]:
    """Return what the retraining cost so far."""
    trained = rows[rows["state"] == "complete"] if len(rows) else rows
    if trained.empty:
        return []
    seconds = duration(float(trained["seconds"].sum())).replace(" ", NO_BREAK)
    note = f"of {trained['id'].nunique()} networks, {seconds} in training"
    return [("trained again", f"{len(trained):,}", note)]


def _wrong_stops(checked: Audit) -> list[tuple[str, str, str]]:
    if not checked.checked:
        return []
    return [("wrong stops", f"{checked.wrong} of {checked.checked}", "stopped candidates that ran on as a check")]


PANELS.register("verdict")(Panel(1, "Verdict", verdict_info))
