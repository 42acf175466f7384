"""Learning rate by step."""

from __future__ import annotations

import math
from collections.abc import Callable

from fusion_ops.registry import Registry

__all__ = ["SCHEDULES", "learning_rate"]

START, END = 1 / 25, 1e-4
Ramp = Callable[[float], float]
SCHEDULES: Registry[Ramp] = Registry("schedule")


@SCHEDULES.register("one_cycle")
def _cosine(position: float) -> float:
    return (1 - math.cos(math.pi * position)) / 2


@SCHEDULES.register("triangular")
def _straight(position: float) -> float:
    return position


def learning_rate(step: int, steps: int, *, peak: float, schedule: str, warmup: float) -> float:
    """Return the learning rate of one step of a training.

    It rises from `peak / 25` to `peak` in the first `warmup · steps` steps and falls to `peak / 10,000`
    at the last one.

    Args:
        step: The step, from 0.
        steps: Steps of the whole training.
        peak: Largest learning rate.
        schedule: Shape of both ramps: `one_cycle` (cosine) or `triangular` (straight).
        warmup: Share of the steps in which it rises.

    Raises:
        UnknownNameError: No such schedule.
    """
    ramp = SCHEDULES[schedule]
    top = warmup * (steps - 1)
    if step < top:
        return peak * (START + (1 - START) * ramp(step / top))
    if steps - 1 <= top:
        return peak
    return peak * (1 - (1 - END) * ramp((step - top) / (steps - 1 - top)))
