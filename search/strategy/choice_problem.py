"""A choice problem: one choice of every slot, scores and costs that add up, budgets on the costs; solved exactly.

minimise  Σ_s score[s, c_s]   such that   fixed_k + Σ_s cost_k[s, c_s] ≤ budget_k   for every cost k.

It is a mixed-integer linear program with a binary variable for each choice, for SciPy's HiGHS. Costs are compared once
more as they are: what the solver's tolerances let through is cut off.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from fusion_ops.errors import RunError

__all__ = ["ChoiceProblem", "Picked"]

# HiGHS takes what is within 1e-6 of the best for the best: scores are brought to this range.
RANGE = 1e4
INFEASIBLE = 2


@dataclass(frozen=True, slots=True)
class Picked:
    """One choice of every slot.

    Args:
        choices: Index of the choice, by slot.
        score: The sum of the scores.
        costs: By name, the fixed part and the sum over the slots.
    """

    choices: tuple[int, ...]
    score: float
    costs: Mapping[str, float]


class ChoiceProblem:
    """Scores and costs of every choice of every slot.

    Args:
        scores: By slot, the score of each of its choices, to minimise.
        costs: By name, what each choice of each slot costs.
        fixed: By name, what everything else costs.
    """

    def __init__(
        self,
        scores: Sequence[Sequence[float]],
        costs: Mapping[str, Sequence[Sequence[float]]],
        fixed: Mapping[str, float],
    ) -> None:
        self._slots = np.repeat(np.arange(len(scores)), [len(row) for row in scores])
        self._index = np.concatenate([np.arange(len(row)) for row in scores])
        self._scores = np.concatenate([np.asarray(row, dtype=np.float64) for row in scores])
        self._costs = {name: np.concatenate([np.asarray(row) for row in rows]) for name, rows in costs.items()}
        self._fixed = dict(fixed)
        self._one_each = (self._slots == np.arange(len(scores))[:, None]).astype(np.float64)

    def best(self, budgets: Mapping[str, float], count: int = 1) -> list[Picked]:
        """Return the best picks within budgets, at most so many, the best first; none where none is within them.

        Each further one is found with a cut that excludes all before it.
        """
        found = []
        for picked in self._each(self._scores, budgets):
            found.append(picked)
            if len(found) == count:
                break
        return found

    def nearest(self, budgets: Mapping[str, float]) -> Picked:
        """Return the pick that exceeds budgets least: by the smallest share that all of them are raised by.

        With one budget it is the cheapest there is.
        """
        size = len(self._scores)
        # The last variable is the share. Costs are counted in budgets.
        rows = [np.append(self._costs[name] / bound, -1.0) for name, bound in budgets.items()]
        most = [1.0 - self._fixed[name] / bound for name, bound in budgets.items()]
        objective = np.append(np.zeros(size), 1.0)
        each = np.column_stack([self._one_each, np.zeros(len(self._one_each))])
        constraints = [
            scipy.optimize.LinearConstraint(each, 1.0, 1.0),
            scipy.optimize.LinearConstraint(np.array(rows), -np.inf, most),
        ]
        upper = np.append(np.ones(size), np.inf)
        found = scipy.optimize.milp(
            objective,
            integrality=np.append(np.ones(size), 0.0),
            bounds=scipy.optimize.Bounds(0.0, upper),
            constraints=constraints,
            options={"mip_rel_gap": 0.0},
        )
        return self._picked(_required(found)[:size])

    def front(self, name: str, budgets: Mapping[str, float], most: int) -> list[Picked]:
        """Return the picks within budgets that nothing cheaper equals in score, from dear to cheap.

        Args:
            name: The cost that is traded for the score.
            budgets: Bounds on costs, that one may be among them.
            most: At most so many; where there are more, every step is at least that share of the range of costs.
        """
        least = self._cheapest(name, budgets)
        found: list[Picked] = []
        bound = budgets.get(name, np.inf)
        step = 0.0
        while least is not None and bound >= least:
            best = self.best({**budgets, name: bound})
            if not best:
                break
            # The same score may be had for less.
            picked = best[0]
            found.append(picked)
            step = step or (found[0].costs[name] - least) / max(most - 1, 1)
            bound = min(np.nextafter(picked.costs[name], -np.inf), picked.costs[name] - step)
            if found[-1].costs[name] > least > bound:
                bound = least
        return _undominated(found, name)

    def _cheapest(self, name: str, budgets: Mapping[str, float]) -> float | None:
        found = next(self._each(self._costs[name].astype(np.float64), budgets), None)
        return None if found is None else found.costs[name]

    def _each(self, objective: NDArray[np.float64], budgets: Mapping[str, float]) -> Iterator[Picked]:
        """Yield the picks within budgets, by the objective."""
        names = [name for name, bound in budgets.items() if np.isfinite(bound)]
        constraints = [scipy.optimize.LinearConstraint(self._one_each, 1.0, 1.0)]
        if names:
            # Counted from the cheapest choice of each slot, and in budgets, so that numbers are of one size.
            rows, most = zip(*(self._bounded(name, budgets[name]) for name in names), strict=True)
            constraints.append(scipy.optimize.LinearConstraint(np.array(rows), -np.inf, np.array(most)))
        spread = np.abs(objective).max()
        scaled = objective * (RANGE / spread if spread > 0 else 1.0)
        cuts: list[NDArray[np.float64]] = []
        while True:
            most_alike = len(self._one_each) - 1.0
            there = [scipy.optimize.LinearConstraint(np.array(cuts), -np.inf, most_alike)] if cuts else []
            found = scipy.optimize.milp(
                scaled,
                integrality=np.ones(len(scaled)),
                bounds=scipy.optimize.Bounds(0.0, 1.0),
                constraints=[*constraints, *there],
                options={"mip_rel_gap": 0.0},
            )
            if found.status == INFEASIBLE:
                return
            chosen = np.rint(_required(found))
            cuts.append(chosen)
            picked = self._picked(chosen)
            if all(picked.costs[name] <= bound for name, bound in budgets.items()):
                yield picked

    def _bounded(self, name: str, bound: float) -> tuple[NDArray[np.float64], float]:
        costs = self._costs[name].astype(np.float64)
        least = np.array([costs[self._slots == slot].min() for slot in range(len(self._one_each))])
        apart, left = costs - least[self._slots], bound - self._fixed[name] - least.sum()
        unit = max(float(apart.max()), 1.0)
        return apart / unit, left / unit

    def _picked(self, chosen: NDArray[np.float64]) -> Picked:
        at = np.flatnonzero(chosen > 0.5)
        costs = {name: self._fixed[name] + each[at].sum().item() for name, each in self._costs.items()}
        return Picked(tuple(int(index) for index in self._index[at]), float(self._scores[at].sum()), costs)


def _undominated(found: Sequence[Picked], name: str) -> list[Picked]:
    """Return the picks, from dear to cheap, without those whose score something cheaper has, too."""
    kept: list[Picked] = []
    for one in found:
        while kept and kept[-1].score >= one.score:
            kept.pop()
        kept.append(one)
    return kept


def _required(found: Any) -> NDArray[np.float64]:
    if found.x is None:
        raise RunError(f"the solver found no solution: {' '.join(str(found.message).split())}")
    return np.asarray(found.x, dtype=np.float64)
