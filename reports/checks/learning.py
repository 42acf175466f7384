"""Had the networks finished learning when they were compared?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reports.checks.check import HEALTH, Finding, HealthCheck
from reports.checks.subject import Subject
from reports.phrases import signed_points
from reports.retrained.margin import verdict_margin

__all__ = ["late_gains", "learning_finished"]

LEAST_EPOCHS = 4
LEAST_CURVES = 3


def learning_finished(subject: Subject) -> Finding | None:
    """Return whether curves still rise at the last epoch.

    The late gain of a network is what its best quality gained in the last quarter of its epochs. Passed where the
    median over all complete candidates is at most `verdict.margin`; failed where it is, besides, more than the best
    candidate is above the median one: then what is best may change with a few more epochs.
    """
    epochs, gains = late_gains(subject)
    if len(gains) < LEAST_CURVES:
        few = f"Fewer than {LEAST_CURVES} candidates have learnt for {LEAST_EPOCHS} epochs: curves say nothing."
        return Finding("unknown", few)
    late, margin = float(np.median(gains)), verdict_margin(subject.run)
    lead = float(abs(subject.qualities[0] - np.median(subject.qualities)))
    numbers = {"late_gain": late, "margin": margin, "lead": lead, "networks": len(gains)}
    last = max(round(epochs / 4), 1)
    when = "epoch" if last == 1 else f"{last} epochs"
    reason = f"In the last {when} networks gained {signed_points(subject.quality, late)} in the median"
    if late <= margin:
        return Finding("pass", f"{reason}.", numbers=numbers)
    advice = f"Raise `{subject.run.epochs_key}`, or retrain with a longer recipe before you decide."
    if late <= lead:
        return Finding("warning", f"{reason}: they were still learning.", advice, numbers)
    ahead = signed_points(subject.quality, lead).lstrip("+")
    return Finding("fail", f"{reason}, and the best is only {ahead} above the median one.", advice, numbers)


def late_gains(subject: Subject) -> tuple[int, NDArray[np.float64]]:
    """Return the usual number of epochs, and the late gain of each complete candidate, in the unit of the quality."""
    name, sign = subject.quality.name, -subject.quality.sign
    curves = [np.array(entry.curve_of(name)) * sign for entry in subject.catalog.complete]
    curves = [curve[np.isfinite(curve)] for curve in curves]
    curves = [curve for curve in curves if len(curve) >= LEAST_EPOCHS]
    gains = [float(curve.max() - curve[: -max(round(len(curve) / 4), 1)].max()) for curve in curves]
    epochs = int(np.median([len(curve) for curve in curves])) if curves else 0
    return epochs, np.array(gains, dtype=np.float64)


HEALTH.register("learning")(HealthCheck("Learning finished", learning_finished))
