"""How far off a library's predictions were: what it recommends, beside the parent, both trained in the same way."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy

from reports.candidates.candidate import VERIFY
from reports.library.effects import Change
from reports.measures import MEASURES
from reports.phrases import signed_points
from reports.run.run import load_run
from search.run.solve import Solution, Solver

__all__ = ["Verification", "Verified", "verdict_of", "verification"]

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Verified:
    """One architecture, as predicted and as trained.

    Args:
        solution: What was predicted.
        measured: What it changed once it was trained, against the parent trained on in the same way.
        off: How much more that is than was predicted, with the error of both together.
        beyond: Whether that is more than chance explains.
    """

    solution: Solution
    measured: Change
    off: Change
    beyond: bool


@dataclass(frozen=True, slots=True)
class Verification:
    """All that was verified of a run.

    Args:
        score: Name of the measure.
        references: What the parent showed, trained on with several seeds.
        noise: Standard deviation of one training, from these.
        rows: What was verified, in the order of the predictions.
        not_trained: Ids of what could not be trained to its end.
        off: By how much all of them are off on average, with its error.
        beyond: Whether that is more than chance explains.
        tau: Kendall τ of predicted and measured changes, the parent among them; `None` below four networks.
    """

    score: str
    references: tuple[float, ...]
    noise: float
    rows: tuple[Verified, ...]
    not_trained: tuple[str, ...]
    off: Change
    beyond: bool
    tau: float | None


def verification(solver: Solver, solutions: Sequence[Solution]) -> Verification | None:
    """Return how far off the predictions were, of what was trained; `None` where the parent was not trained on.

    With the noise σ of one training, R trainings of the parent and the standard error e of a prediction, a difference
    has the standard error `√(σ² (1 + 1/R) + e²)`. What exceeds it by Student's factor for R − 1 degrees of freedom is
    more than chance, at 95 %.
    """
    run, column = load_run(solver.run.path), MEASURES[solver.score].column
    beside = run.contests
    parents = beside[(beside["series"] == VERIFY) & (beside["state"] == "complete")]
    if len(parents) < 2:
        return None
    references = parents[column].to_numpy(dtype=np.float64)
    reference, noise = float(references.mean()), float(references.std(ddof=1))
    factor = float(scipy.stats.t.ppf((1 + CONFIDENCE) / 2, len(references) - 1))
    own = noise**2 / len(references)
    rows, missing = [], []
    for solution in solutions:
        value = _trained(run.table, solution.architecture.id, column)
        if value is None:
            missing.append(solution.architecture.id)
            continue
        measured = Change(value - reference, math.sqrt(noise**2 + own))
        predicted = solution.changes[solver.score]
        error = math.hypot(measured.error, 0.0 if math.isnan(predicted.error) else predicted.error)
        off = Change(measured.mean - predicted.mean, error)
        rows.append(Verified(solution, measured, off, abs(off.mean) > factor * error))
    off = _average(rows, noise, own)
    beyond = bool(rows) and abs(off.mean) > factor * off.error
    return Verification(
        solver.score, tuple(references), noise, tuple(rows), tuple(missing), off, beyond, _agreement(rows)
    )


def _average(rows: Sequence[Verified], noise: float, own: float) -> Change:
    """Return by how much predictions are off on average; their own errors have much in common, and do not average."""
    if not rows:
        return Change(math.nan, math.nan)
    predicted = [math.sqrt(max(one.off.error**2 - one.measured.error**2, 0.0)) for one in rows]
    shared = float(np.mean(predicted))
    return Change(float(np.mean([one.off.mean for one in rows])), math.sqrt(noise**2 / len(rows) + own + shared**2))


def _agreement(rows: Sequence[Verified]) -> float | None:
    # The parent itself changes nothing, as predicted and by definition.
    predicted = [0.0, *(one.measured.mean - one.off.mean for one in rows)]
    measured = [0.0, *(one.measured.mean for one in rows)]
    return float(scipy.stats.kendalltau(predicted, measured).statistic) if len(rows) >= 3 else None


def _trained(table: pd.DataFrame, candidate_id: str, column: str) -> float | None:
    found = table[(table["id"] == candidate_id) & (table["state"] == "complete")][column]
    return float(found.iloc[-1]) if len(found) else None


def verdict_of(found: Verification) -> list[str]:
    """Return in words how far predictions were off, and whether the sum of single changes holds."""
    measure, lines = MEASURES[found.score], []
    if found.rows:
        count = len(found.rows)
        off = signed_points(measure, found.off.mean, (found.off.error,))
        error = signed_points(measure, found.off.error, (found.off.mean,)).removeprefix("+")
        lines.append(
            f"{count} trained, beside the parent with {len(found.references)} seeds; off by {off} of {measure.label} "
            f"on average, with a standard error of {error}"
        )
    beyond = sum(one.beyond for one in found.rows)
    if beyond or found.beyond:
        what = f"{beyond} of {len(found.rows)} are off" if beyond else "together they are off"
        lines.append(
            f"what choices change alone does not add up here: {what} by more than chance explains at 95 %; rely on "
            "what was trained"
        )
    elif found.rows:
        lines.append("that single changes add up is not refuted: none is off by more than chance explains at 95 %")
    if found.tau is not None:
        lines.append(f"predicted and trained agree in their order with Kendall τ = {found.tau:.2f}")
    if found.not_trained:
        lines.append(f"not trained to its end: {', '.join(found.not_trained)}; see the reasons in candidates.csv")
    return lines
