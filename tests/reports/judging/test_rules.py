"""From single outcomes to the verdict of a run: every combination."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest

from reports.judging.rules import OUTCOMES, Outcome, Ruling, despite_divergence, over_recipes, under_recipe

DOCS = Path(__file__).parents[3] / "docs" / "verdict.md"
CONTROL_SETS = [(), *((one,) for one in OUTCOMES), *itertools.product(OUTCOMES, repeat=2)]


@pytest.mark.parametrize("against_sum", OUTCOMES)
@pytest.mark.parametrize("controls", CONTROL_SETS)
def test_one_recipe(against_sum: Outcome, controls: tuple[Outcome, ...]) -> None:
    ruling = under_recipe(against_sum, controls)
    all_better = against_sum == "better" and all(outcome == "better" for outcome in controls)
    held = bool({"same", "worse"} & set(controls))
    assert (ruling.outcome == "better") == all_better
    assert (ruling.outcome == "worse") == (against_sum == "worse")
    assert (ruling.outcome == "same") == (against_sum == "same" or (against_sum == "better" and held))
    assert ruling.keep_sum == (against_sum in ("same", "worse") or held)
    assert ruling == under_recipe(against_sum, controls[::-1])


def test_every_combination_stands_in_the_documentation() -> None:
    rows = re.findall(r"^\| (\w+) \| ([^|]+) \| `(\w+)` \| ([^|]+) \|$", DOCS.read_text(encoding="utf-8"), re.MULTILINE)
    known = {(against, controls): (outcome, advice) for against, controls, outcome, advice in rows}
    for against_sum, controls in itertools.product(OUTCOMES, CONTROL_SETS):
        ruling = under_recipe(against_sum, controls)
        outcome, advice = known[against_sum, _in_words(against_sum, controls)]
        assert ruling.outcome == outcome
        assert ruling.keep_sum == advice.startswith("keep the sum")


def _in_words(against_sum: Outcome, controls: tuple[Outcome, ...]) -> str:
    if against_sum in ("same", "worse"):
        return "any, or none"
    if {"same", "worse"} & set(controls):
        return "one of them same or worse"
    if against_sum == "undecided":
        return "none, or each better or undecided"
    if "undecided" in controls:
        return "one of them undecided, none same or worse"
    return "each better" if controls else "none"


@pytest.mark.parametrize("outcome", OUTCOMES)
@pytest.mark.parametrize(("candidate", "reference"), [(0, 0), (1, 0), (2, 1), (1, 1), (1, 2)])
def test_only_a_gain_of_what_diverges_more_is_open(outcome: Outcome, candidate: int, reference: int) -> None:
    left = despite_divergence(outcome, candidate, reference)
    barred = outcome == "better" and candidate > reference
    assert left == ("undecided" if barred else outcome)


def test_without_the_sum_nothing_is_decided() -> None:
    assert under_recipe(None, ["better"]) == Ruling("undecided", False, "no_sum")
    assert over_recipes([]) == Ruling("undecided", False, "no_sum")


ALL = list(dict.fromkeys(under_recipe(one, controls) for one in OUTCOMES for controls in CONTROL_SETS))


@pytest.mark.parametrize("first", ALL)
@pytest.mark.parametrize("second", ALL)
def test_two_recipes(first: Ruling, second: Ruling) -> None:
    ruling = over_recipes([first, second])
    assert ruling.outcome == (first.outcome if first.outcome == second.outcome else "undecided")
    assert ruling.keep_sum == (first.keep_sum and second.keep_sum)
    decided = {first.outcome, second.outcome} - {"undecided"}
    assert (ruling.reason == "recipes") == (len(decided) == 2)
    assert over_recipes([first]) == first


@pytest.mark.parametrize("outcomes", list(itertools.product(OUTCOMES, repeat=3)))
def test_three_recipes_agree_or_leave_it_open(outcomes: tuple[Outcome, ...]) -> None:
    ruling = over_recipes([under_recipe(outcome, ()) for outcome in outcomes])
    assert ruling.outcome == (outcomes[0] if len(set(outcomes)) == 1 else "undecided")


def test_a_missing_control_is_not_forgotten_under_a_second_recipe() -> None:
    rulings = [under_recipe("better", ["better"]), under_recipe("better", [])]
    assert over_recipes(rulings) == Ruling("better", False, "no_control")
