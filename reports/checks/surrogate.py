"""Does a model of the architectures predict what training shows, and is it as sure as it says?"""

from __future__ import annotations

import numpy as np

from reports.checks.chance import Z80
from reports.checks.check import HEALTH, Finding, HealthCheck, Numbers
from reports.checks.leave_one_out import LEAST, Predictions, leave_one_out
from reports.checks.subject import Subject
from reports.proportions import wilson

__all__ = ["foretold", "surrogate_calibrated"]

COVERED = 0.8
FAR_OFF = 0.6
LEAST_SKILL = 0.02


def surrogate_calibrated(subject: Subject) -> Finding | None:
    """Return how well quality is predicted from architectures: by the sampler, else by a model of the report.

    From twelve complete candidates on that the sampler foretold when it proposed them, those count.

    Coverage is the share of networks whose measured quality lies in the 80 % interval of what was predicted of it
    without it. Passed where Wilson's 95 % interval of the coverage holds 80 %, and predictions are closer than the mean
    is, by 2 % of the variance and beyond chance; failed where that interval lies below 60 %. Not known where that they
    are closer may be chance.
    """
    predicted = foretold(subject) or leave_one_out(subject.catalog)
    if predicted is None:
        return Finding("unknown", f"Fewer than {LEAST} networks are complete: too few to learn from.")
    inside = np.abs(predicted.measured - predicted.mean) <= Z80 * predicted.deviation
    low, high = wilson(float(inside.mean()), len(inside))
    skill = predicted.skill
    numbers: Numbers = {
        "networks": len(inside),
        "covered": int(inside.sum()),
        "skill": round(skill, 4),
        "model": predicted.model,
    }
    reason = (
        f"The 80 % intervals of {predicted.model} hold {int(inside.sum())} of {len(inside)} measured qualities, "
        f"and it explains {_explained(skill)}"
    )
    return _found(low, high, predicted, reason, numbers)


def foretold(subject: Subject) -> Predictions | None:
    """Return what the sampler's model predicted of candidates that it proposed, before they were trained."""
    table, column = subject.run.table, subject.quality.column
    rows = table[(table["state"] == "complete") & (table["doubt"] > 0)]
    rows = rows[np.isfinite(rows["predicted"]) & np.isfinite(rows[column])]
    if len(rows) < LEAST:
        return None
    mean, doubt, measured = (rows[name].to_numpy(np.float64) for name in ("predicted", "doubt", column))
    return Predictions(mean, doubt, measured, "the sampler's model")


def _found(low: float, high: float, predicted: Predictions, reason: str, numbers: Numbers) -> Finding:
    if high < FAR_OFF:
        advice = "Do not trust what is predicted: use `search.sampler: random`, or train longer so that noise is less."
        return Finding("fail", f"{reason}: it is far too sure.", advice, numbers)
    if not low <= COVERED <= high:
        sure = "surer" if high < COVERED else "less sure"
        return Finding("warning", f"{reason}: it is {sure} than it should be.", "More trials teach it more.", numbers)
    if predicted.skill >= LEAST_SKILL and not predicted.beyond_chance:
        return Finding("unknown", f"{reason}: not enough evidence that this is more than chance.", numbers=numbers)
    if predicted.skill < LEAST_SKILL:
        advice = "Differences may be noise: train longer, or on more validation images, before adding trials."
        return Finding("warning", f"{reason}: no better than guessing the mean.", advice, numbers)
    return Finding("pass", f"{reason}.", numbers=numbers)


def _explained(skill: float) -> str:
    return f"{100 * skill:.0f} % of their variance" if skill >= LEAST_SKILL else "none of their variance"


HEALTH.register("surrogate")(HealthCheck("Surrogate calibrated", surrogate_calibrated))
