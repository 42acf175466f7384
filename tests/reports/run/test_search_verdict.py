"""The verdict: what is compared, what is said, and what is left unsaid."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion_ops import FusionChoice
from reports.panels.tradeoff import tradeoff_info
from reports.proportions import difference_interval, wilson
from reports.run.catalog import make_catalog
from reports.run.run import load_run
from reports.run.search_verdict import SearchVerdict, search_verdict
from spaces import Architecture, SearchSpace

Judge = Callable[..., SearchVerdict]


def test_wilson_matches_published_figures() -> None:
    # Newcombe, "Two-sided confidence intervals for the single proportion", 1998: 81 of 263, 0 of 20.
    assert wilson(81 / 263, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(0.0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)


def test_the_difference_matches_published_figures() -> None:
    # Newcombe, "Interval estimation for the difference ...", 1998, method 10: 9 of 10 against 3 of 10.
    assert difference_interval(0.9, 0.3, 10) == pytest.approx((0.1705, 0.8090), abs=5e-5)
    assert difference_interval(1.0, 0.0, 10) == pytest.approx((0.6075, 1.0), abs=5e-5)


@given(st.integers(0, 50), st.integers(0, 50))
def test_the_interval_holds_the_difference_and_turns_round_with_it(first: int, second: int) -> None:
    low, high = difference_interval(first / 50, second / 50, 50)
    assert -1 <= low <= (first - second) / 50 <= high <= 1
    assert low < high
    assert difference_interval(second / 50, first / 50, 50) == pytest.approx((-high, -low))


@pytest.fixture
def judge(
    make_run: Callable[..., Path], make_records: Callable[..., list[dict[str, Any]]], space: SearchSpace
) -> Judge:
    """Return the verdict on networks given as `(operators, accuracy)`; one operator stands for all points."""

    def make(*networks: tuple[str, float], states: dict[int, str] | None = None, **changes: Any) -> SearchVerdict:
        records = make_records(len(networks), 0)
        for number, ((operators, accuracy), record) in enumerate(zip(networks, records, strict=True)):
            architecture = assembled(space, operators.split())
            cost = space.cost(architecture)
            record.update(
                id=architecture.id,
                architecture=architecture.to_json(),
                accuracy=accuracy,
                params=cost.params,
                flops=cost.flops,
                state=(states or {}).get(number, "complete"),
                kind="baseline" if " " not in operators else "search",
            )
        run = load_run(make_run(records, **changes))
        return search_verdict(run, make_catalog(run))

    return make


def assembled(space: SearchSpace, operators: list[str]) -> Architecture:
    operators = operators * len(space.points) if len(operators) == 1 else operators
    choices = [
        (point.name, FusionChoice(op, None if op in ("sum", "concat") else 4))
        for point, op in zip(space.points, operators, strict=True)
    ]
    return Architecture(space.ref, tuple(choices))


MIXED = "sum sum sum iaff iaff iaff"


def test_a_mixed_network_is_held_against_the_best_uniform_one(judge: Judge) -> None:
    result = judge(("sum", 0.95), ("aff", 0.97), ("concat", 0.96), (MIXED, 0.98), ("aff aff aff aff aff sum", 0.975))
    assert result.outcome == "not_enough"
    assert result.headline == "Not enough evidence: one seed each."
    assert result.sentence == (
        "`iaff r=4` at the 3 deepest points, `sum` elsewhere: +1.00 points over the best uniform network "
        "(`aff r=4` everywhere), with 5 % more parameters and about the same FLOPs."
    )
    assert result.comparison is not None
    assert result.comparison.gain == pytest.approx(0.01)
    assert result.comparison.interval == difference_interval(0.98, 0.97, 288)
    assert not result.comparison.beyond_noise
    assert result.evidence[0] == (
        "With 288 validation images the 95 % interval of the difference is −1.76 to +3.89 points. "
        "It includes zero: the difference may be chance."
    )
    assert result.evidence[1].startswith("Against `sum` everywhere: +3.00 points (95 %: ")
    assert "several seeds" in result.evidence[-1]
    assert [entry.values["accuracy"] for entry in result.runners_up] == [0.975, 0.97, 0.96]


def test_a_difference_beyond_noise_is_still_not_enough(judge: Judge) -> None:
    result = judge(("sum", 0.80), (MIXED, 0.98))
    assert result.comparison is not None
    assert result.comparison.beyond_noise
    assert result.headline == "Not enough evidence: one seed each."
    assert "It leaves out zero" in result.evidence[0]
    assert result.against_sum is None


def test_a_lead_over_sum_that_may_be_chance_says_keep_the_sum(judge: Judge) -> None:
    result = judge(("sum", 0.970), ("aff", 0.975), (MIXED, 0.98))
    assert result.evidence[1].endswith("Until there is more evidence, keep the sum.")


def test_keep_the_sum(judge: Judge) -> None:
    result = judge(("aff", 0.96), ("sum", 0.97), (MIXED, 0.965))
    assert (result.outcome, result.headline) == ("keep_sum", "Keep the sum.")
    assert result.sentence.startswith("No candidate was better than `sum` everywhere, which reaches 97.00 % accuracy")
    assert result.sentence.endswith("`iaff r=4` at the 3 deepest points, `sum` elsewhere, 0.50 points behind.")
    assert result.evidence[-1] == "One seed each: a small gain of another network cannot be excluded."


def test_of_equal_networks_the_cheaper_sum_is_kept(judge: Judge) -> None:
    assert judge((MIXED, 0.97), ("sum", 0.97)).outcome == "keep_sum"


def test_a_best_uniform_network_is_held_against_sum(judge: Judge) -> None:
    result = judge(("concat", 0.965), ("sum", 0.95), ("aff", 0.97), (MIXED, 0.96))
    assert result.comparison is not None
    assert result.comparison.reference.operator == "sum"
    assert result.sentence.startswith(
        "`aff r=4` everywhere was best, and no mixed architecture was better: +2.00 points over `sum` everywhere"
    )
    assert result.evidence[0].endswith("the difference may be chance. Until there is more evidence, keep the sum.")


def test_without_a_uniform_network_there_is_nothing_to_compare_with(judge: Judge) -> None:
    result = judge((MIXED, 0.97), ("sum", 0.9), states={1: "pruned"})
    assert result.outcome == "no_baseline"
    assert result.comparison is None
    assert "no network with one operator is complete" in result.sentence


def test_without_a_complete_candidate_there_is_no_verdict(judge: Judge) -> None:
    result = judge((MIXED, 0.97), states={0: "failed"})
    assert (result.outcome, result.best, result.runners_up) == ("no_candidate", None, ())
    assert result.counts["failed"] == 1


def test_without_the_number_of_images_there_is_no_interval(judge: Judge) -> None:
    result = judge(("sum", 0.95), (MIXED, 0.98), resolved={"dataset": {}})
    assert result.comparison is not None
    assert result.comparison.interval is None
    assert not result.comparison.beyond_noise
    assert result.evidence[0] == "No interval can be given for accuracy from one training each."


def test_a_loss_is_better_when_it_is_lower(judge: Judge) -> None:
    result = judge(("sum", 0.95), (MIXED, 0.90), objectives=("loss",))
    assert result.best is not None
    losses = [entry.values["loss"] for entry in (result.best, *result.runners_up)]
    assert losses == sorted(losses, key=lambda loss: loss or 0)
    if result.comparison is not None:
        assert result.comparison.gain >= 0
        assert result.comparison.interval is None


def test_the_budget_is_added_up(
    make_run: Callable[..., Path], make_records: Callable[..., list[dict[str, Any]]]
) -> None:
    run = load_run(make_run())
    budget = search_verdict(run, make_catalog(run)).budget
    trained = [row for row in make_records() if row["state"] in ("complete", "pruned", "failed")]
    assert (budget.trials, budget.trained, budget.workers) == (40, len(trained), 2)
    assert budget.epochs == sum(row["epochs"] for row in trained)
    assert budget.full_epochs == 8 * len(trained)
    assert budget.seconds == pytest.approx(sum(row["seconds"] for row in trained))
    # From the start of candidate 0 to the end of candidate 39, which starts 117 s later and takes 60 s.
    assert budget.elapsed == 177


def test_counts_cover_every_state(make_run: Callable[..., Path]) -> None:
    run = load_run(make_run())
    counts = search_verdict(run, make_catalog(run)).counts
    assert sum(counts.values()) == 40
    assert counts == {"complete": 21, "pruned": 7, "failed": 4, "infeasible": 4, "duplicate": 4, "running": 0}


def test_accuracy_in_int8_is_a_difference_in_points_and_no_cost(
    make_run: Callable[..., Path], make_records: Callable[..., list[dict[str, Any]]], space: SearchSpace
) -> None:
    records = make_records(2, 0)
    for record, op, accuracy, eight in zip(records, ("sum", "aff"), (0.8, 0.9), (0.79, 0.87), strict=True):
        architecture = assembled(space, [op])
        cost = space.cost(architecture)
        record.update(id=architecture.id, architecture=architecture.to_json(), accuracy=accuracy, kind="baseline")
        record.update({"params": cost.params, "flops": cost.flops, "state": "complete", "accuracy@int8": eight})
    run = load_run(make_run(records, objectives=("accuracy", "accuracy@int8")))
    catalog = make_catalog(run)
    comparison = search_verdict(run, catalog).comparison
    assert comparison is not None
    assert comparison.costs[0] == "+8.00 points of accuracy in int8"
    assert "params" in tradeoff_info(run, catalog).x.name
