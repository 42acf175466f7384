"""What is known of a candidate in terms of a run's objectives and constraints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reports.candidates.candidate import Candidate
from reports.measures import MEASURES
from search.study.bounds import broken, exact, excesses

__all__ = ["Measuring"]


class Measuring:
    """Looks at candidates by the measures that a run asks for.

    Args:
        objectives: Names of the objectives, in the study's order.
        constraints: Bounds by measure.

    Attributes:
        quality: The first objective that is a quality.
        maximize: Whether that is to be great.
        exact_bounds: The constraints on what is known before training.
        measured_bounds: All others.
    """

    def __init__(self, objectives: Sequence[str], constraints: Mapping[str, float]) -> None:
        self.objectives = tuple(objectives)
        self.quality = next(name for name in self.objectives if MEASURES[name].quality)
        self.maximize = MEASURES[self.quality].direction == "maximize"
        self.exact_bounds = exact(constraints)
        self.measured_bounds = {name: bound for name, bound in constraints.items() if not MEASURES[name].exact}

    def measures(self, candidate: Candidate) -> dict[str, float]:
        """Return everything that is known of a candidate, by measure."""
        known = {**candidate.best(self.quality, maximize=self.maximize), **candidate.measured, **candidate.exact}
        columns = {name: MEASURES[name].column for name in (*MEASURES, *self.objectives)}
        return {name: float(known[column]) for name, column in columns.items() if known.get(column) is not None}

    def values(self, candidate: Candidate) -> list[float]:
        """Return the objectives of a complete candidate, in their order."""
        values = self.measures(candidate)
        return [values[name] for name in self.objectives]

    def losses(self, candidate: Candidate) -> list[float] | None:
        """Return the same, all to minimise; `None` where it cannot be on the front."""
        if candidate.state != "complete" or not candidate.feasible:
            return None
        return [MEASURES[name].sign * v for name, v in zip(self.objectives, self.values(candidate), strict=True)]

    def loss(self, candidate: Candidate) -> float:
        """Return the quality of a candidate's best epoch, as a value to minimise; infinite before the first one."""
        best = candidate.best(self.quality, maximize=self.maximize)
        return MEASURES[self.quality].loss(best.get(self.quality))

    def broken(self, candidate: Candidate) -> str:
        """Return which measured bounds a candidate breaks, in words; empty where none."""
        return broken(self.measured_bounds, self.measures(candidate))

    def excesses(self, candidate: Candidate) -> dict[str, float]:
        """Return by how much a candidate breaks each measured bound; 0 or less where it is met."""
        return excesses(self.measured_bounds, self.measures(candidate))
