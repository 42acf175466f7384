"""The best choices within budgets, held against every combination that there is."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from search.strategy.choice_problem import ChoiceProblem, Picked

FIXED = {"params": 1000.0, "flops": 1e9}


class Small:
    """A random problem that is small enough to look at all of it."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        sizes = [int(rng.integers(1, 6)) for _ in range(rng.integers(1, 5))]
        self.scores = [rng.normal(size=size).tolist() for size in sizes]
        self.costs = {
            name: [rng.integers(0, most, size).tolist() for size in sizes]
            for name, most in (("params", 5000), ("flops", 10**8))
        }
        self.problem = ChoiceProblem(self.scores, self.costs, FIXED)
        self.all = [self._picked(choices) for choices in itertools.product(*(range(size) for size in sizes))]
        self.rng = rng

    def _picked(self, choices: tuple[int, ...]) -> Picked:
        def total(rows: list[list[float]]) -> float:
            return sum(row[choice] for row, choice in zip(rows, choices, strict=True))

        costs = {name: FIXED[name] + total(rows) for name, rows in self.costs.items()}
        return Picked(choices, total(self.scores), costs)

    def budget(self, name: str) -> float:
        return float(np.quantile([one.costs[name] for one in self.all], self.rng.random()))


@pytest.fixture(params=range(12))
def small(request) -> Small:
    return Small(request.param)


@pytest.mark.parametrize("names", [("params",), ("flops",), ("params", "flops")])
def test_the_best_few_within_budgets_are_those_of_an_enumeration(small: Small, names: tuple[str, ...]) -> None:
    budgets = {name: small.budget(name) for name in names}
    within = [one for one in small.all if all(one.costs[name] <= bound for name, bound in budgets.items())]
    expected = sorted(within, key=lambda one: one.score)[:4]
    found = small.problem.best(budgets, 4)
    assert [one.choices for one in found] == [one.choices for one in expected]
    assert [one.score for one in found] == pytest.approx([one.score for one in expected])
    assert [one.costs for one in found] == [one.costs for one in expected]


def test_a_budget_that_is_met_to_the_last_parameter_is_met(small: Small) -> None:
    for one in small.all[:5]:
        within = small.problem.best({"params": one.costs["params"]})[0]
        assert within.score <= one.score + 1e-12
        assert within.costs["params"] <= one.costs["params"]


def test_what_is_asked_for_beyond_all_there_is_is_all_there_is(small: Small) -> None:
    found = small.problem.best({}, len(small.all) + 1)
    assert sorted(one.choices for one in found) == sorted(one.choices for one in small.all)


def test_the_nearest_exceeds_all_budgets_by_the_smallest_share(small: Small) -> None:
    cheapest = {name: min(one.costs[name] for one in small.all) for name in FIXED}
    assert small.problem.nearest({"params": 1.0}).costs["params"] == cheapest["params"]
    budgets = {"params": cheapest["params"] * 0.9, "flops": cheapest["flops"] * 0.97}
    assert small.problem.best(budgets) == []

    def share(one: Picked) -> float:
        return max(one.costs[name] / bound for name, bound in budgets.items())

    assert share(small.problem.nearest(budgets)) == pytest.approx(min(map(share, small.all)), rel=1e-6)


def test_the_front_is_what_nothing_cheaper_equals(small: Small) -> None:
    expected: list[Picked] = []
    for one in sorted(small.all, key=lambda one: (one.costs["params"], one.score)):
        if not expected or one.score < expected[-1].score:
            expected.append(one)
    found = small.problem.front("params", {}, 10**6)
    assert [one.choices for one in reversed(found)] == [one.choices for one in expected]
    bound = small.budget("params")
    within = [one.choices for one in expected if one.costs["params"] <= bound]
    assert [one.choices for one in reversed(small.problem.front("params", {"params": bound}, 10**6))] == within


def test_a_front_of_so_many_has_its_ends() -> None:
    small = next(one for seed in range(100) if len((one := Small(seed)).problem.front("params", {}, 10**6)) > 4)
    whole, few = small.problem.front("params", {}, 10**6), small.problem.front("params", {}, 3)
    assert len(whole) > 3 >= len(few) >= 2
    assert few[0] == whole[0]
    assert few[-1].costs["params"] == whole[-1].costs["params"] == min(one.costs["params"] for one in small.all)


def test_equal_scores_are_no_front() -> None:
    problem = ChoiceProblem([[0.5, 0.5, 0.5]], {"params": [[3, 1, 2]]}, {"params": 0.0})
    assert [one.choices for one in problem.front("params", {}, 100)] == [(1,)]
