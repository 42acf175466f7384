"""What the search's scores were worth, now that its networks have been retrained."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from reports.comparison import Estimate, rank_agreement, winners_curse
from reports.comparison.arrays import LEAST_SEEDS
from reports.measures import Measure
from reports.retrained.arm import Arm

__all__ = ["Agreement", "Curse", "agreement", "curse"]

# With fewer networks τ has no interval.
LEAST_NETWORKS = 5


@dataclass(frozen=True, slots=True)
class Curse:
    """The winner's curse: how much better the search made a network look, in the measure's unit.

    Args:
        searched: The validation measure that the search had shown.
        validated: The mean of the best validation measures of new seeds.
        tested: The test measure, the mean over seeds and images.
        excess: By how much `searched` is better than `validated` (of a loss, too), with its interval over new seeds.
    """

    searched: float
    validated: float
    tested: float
    excess: Estimate


@dataclass(frozen=True, slots=True)
class Agreement:
    """How well the search's scores rank networks as retraining does.

    Args:
        tau: Kendall's τ between the search's scores and the test means, with its interval.
        networks: Networks that have both.
    """

    tau: Estimate
    networks: int


def curse(arm: Arm, quality: Measure) -> Curse | None:
    """Return the winner's curse of a network; `None` where the search had not trained it, or with a single seed."""
    if arm.searched is None or len(arm.seeds) < LEAST_SEEDS:
        return None
    sign = -quality.sign
    excess = winners_curse(sign * arm.searched, [sign * value for value in arm.validation])
    return Curse(arm.searched, arm.validated, arm.mean, excess)


def agreement(arms: Sequence[Arm], recipe: str) -> Agreement | None:
    """Return how well the search ranked networks under a recipe; `None` with too few of them, or equal ones."""
    known = [(arm.searched, arm.mean) for arm in arms if arm.recipe == recipe and arm.searched is not None]
    if len(known) < LEAST_NETWORKS:
        return None
    tau = rank_agreement([searched for searched, _ in known], [mean for _, mean in known])
    return Agreement(tau, len(known)) if math.isfinite(tau.value) else None
