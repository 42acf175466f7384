"""Are the networks of the front further apart than chance makes them?"""

from __future__ import annotations

import numpy as np

from reports.checks.chance import Chance, chance_of
from reports.checks.check import HEALTH, Finding, HealthCheck
from reports.checks.subject import Subject
from reports.phrases import signed_points

__all__ = ["noise_against_differences"]


def noise_against_differences(subject: Subject) -> Finding | None:
    """Return how the differences in quality along the front compare with noise.

    Two neighbours on the front differ beyond noise where |Δ| > 1.96 √2 s. Passed where at least half of the neighbours
    do, failed where not even its best and its worst network do.
    """
    front = [entry for entry in subject.catalog.by_quality if entry.on_front]
    values = np.array([entry.values[subject.quality.name] for entry in front], dtype=np.float64)
    if len(values) < 2:
        return Finding("unknown", f"{'One network is' if len(values) else 'Nothing is'} on the front: no differences.")
    chance = chance_of(subject)
    if chance is None:
        reason = f"One seed each: nothing tells how far {subject.quality.label} scatters by chance."
        return Finding("unknown", reason, _retrain(subject))
    return _compared(subject, chance, np.abs(np.diff(values)), float(abs(values[0] - values[-1])))


def _compared(subject: Subject, chance: Chance, steps: np.ndarray, whole: float) -> Finding:
    noise, apart = chance.difference, int((steps > chance.difference).sum())
    said = _size(subject, noise)
    source = f"two trainings differ by up to {said} by chance ({chance.source})"
    numbers = {"noise": noise, "range": whole, "neighbours": len(steps), "apart": apart, "deviation": chance.deviation}
    if whole <= noise:
        reason = f"The front spans {_size(subject, whole)}, and {source}: its order is chance."
        return Finding("fail", reason, f"Choose by cost. {_retrain(subject)}", numbers)
    reason = f"{apart} of {len(steps)} neighbours on the front differ by more than noise: {source}."
    if 2 * apart >= len(steps):
        return Finding("pass", reason, numbers=numbers)
    return Finding("warning", reason, f"Read neighbours on the front as equals. {_retrain(subject)}", numbers)


def _size(subject: Subject, difference: float) -> str:
    return signed_points(subject.quality, difference).lstrip("+")


def _retrain(subject: Subject) -> str:
    command = subject.run.retrain_command()
    return (
        f"`{command}` tells finalists apart by several seeds." if command else "Train the finalists with several seeds."
    )


HEALTH.register("noise")(HealthCheck("Noise against differences", noise_against_differences, at_the_end=True))
