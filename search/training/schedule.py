"""When a training reports, and its learning rate by step."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from fusion_ops.registry import Registry
from reports.run.rungs import rungs

__all__ = ["SCHEDULES", "learning_rate", "rungs"]

START, END = 1 / 25, 1e-4
DROPS = (0.75, 0.875)


class Schedule(NamedTuple):
    """Shape of a learning rate.

    Attributes:
        rise: From 0 to 1 over the warm-up, by its share that has passed.
        fall: Share of the peak afterwards, by the share of what follows the warm-up that has passed, and that
            of the whole training.
    """

    rise: Callable[[float], float]
    fall: Callable[[float, float], float]


SCHEDULES: Registry[Schedule] = Registry("schedule")


def _cosine(position: float) -> float:
    return (1 - math.cos(math.pi * position)) / 2


def _straight(position: float) -> float:
    return position


def _drops(since: float, overall: float) -> float:
    return 0.1 ** sum(overall >= drop for drop in DROPS)


SCHEDULES.register("one_cycle")(Schedule(_cosine, lambda since, overall: 1 - (1 - END) * _cosine(since)))
SCHEDULES.register("triangular")(Schedule(_straight, lambda since, overall: 1 - (1 - END) * _straight(since)))
SCHEDULES.register("step")(Schedule(_straight, _drops))


def learning_rate(step: int, steps: int, *, peak: float, schedule: str, warmup: float) -> float:
    """Return the learning rate of one step of a training.

    It rises from `peak / 25` to `peak` in the first `warmup · steps` steps. Then it falls to `peak / 10,000`
    at the last one or, with `step`, to a tenth after 75 % of the training and to a hundredth after 87.5 %.

    Args:
        step: The step, from 0.
        steps: Steps of the whole training.
        peak: Largest learning rate.
        schedule: `one_cycle` (cosine up and down), `triangular` (straight up and down) or `step` (straight up).
        warmup: Share of the steps in which it rises.

    Raises:
        UnknownNameError: No such schedule.
    """
    shape = SCHEDULES[schedule]
    top = warmup * (steps - 1)
    if step < top:
        return peak * (START + (1 - START) * shape.rise(step / top))
    if steps - 1 <= top:
        return peak
    return peak * shape.fall((step - top) / (steps - 1 - top), step / (steps - 1))
