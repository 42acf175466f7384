"""From retrained networks to the verdict: who is compared with whom, and what follows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from fusion_ops.errors import DataError, SpecError
from reports.comparison.sequential import Looks
from reports.judging.candidate import candidate_id
from reports.judging.judgement import Judgement, judge
from reports.judging.rules import Outcome, Ruling
from reports.judging.words import evidence, headline
from reports.measures import MEASURES
from reports.retrained.arm import Arm
from reports.retrained.failures import FailedNetwork, Failures
from spaces import Architecture

ACCURACY = MEASURES["accuracy"]
MARGIN = 0.0025
Study = Callable[..., Sequence[Arm]]
Network = Callable[[str], Architecture]


def judged(arms: Sequence[Arm], **settings: object) -> Judgement:
    result = judge(arms, ACCURACY, margin=MARGIN, **settings)  # type: ignore[arg-type]
    assert result is not None
    return result


@pytest.mark.parametrize(
    ("gains", "outcome", "keep_sum"),
    [
        ((0.02, 0.01, 0.01), "better", False),
        ((0.02, 0.0, 0.01), "same", True),
        ((0.02, 0.01, -0.01), "same", True),
        ((0.02, None, None), "better", False),
        ((0.02, 0.01, None), "better", False),
        ((0.0, 0.0, 0.0), "same", True),
        ((0.0, 0.01, 0.01), "same", True),
        ((-0.02, 0.01, 0.01), "worse", True),
    ],
)  # fmt: skip
def test_gains_become_outcomes(gains: tuple[float | None, ...], outcome: Outcome, keep_sum: bool, study: Study) -> None:
    result = judged(study(*gains))
    assert (result.verdict.outcome, result.ruling.keep_sum) == (outcome, keep_sum)


def test_comparisons_are_of_the_candidate(study: Study, network: Network) -> None:
    result = judged(study(0.02, 0.01, 0.005))
    assert result.verdict.candidate == network("sum sum iaff").id
    entries = {entry.against: entry for entry in result.verdict.comparisons}
    assert list(entries) == ["sum", "uniform", "matched_params", "matched_flops"]
    gains = {against: entry.gain for against, entry in entries.items()}
    assert gains == pytest.approx({"sum": 0.02, "uniform": 0.004, "matched_params": 0.01, "matched_flops": 0.005})
    assert entries["sum"].id == network("sum").id
    assert entries["uniform"].id == network("aff").id
    for entry in entries.values():
        assert entry.low < entry.gain < entry.high
        assert (entry.seeds, entry.images, entry.recipe, entry.outcome) == (5, 1000, "default", "better")


def test_noise_leaves_it_open(study: Study) -> None:
    result = judged(study(0.01, 0.01, 0.01, spread=0.05, seeds=3))
    assert (result.verdict.outcome, result.ruling.reason) == ("undecided", "open")


def test_one_seed_is_compared_with_nothing(study: Study) -> None:
    result = judged(study(0.01, 0.01, 0.01, seeds=1))
    assert result.verdict.comparisons == ()
    assert (result.verdict.outcome, result.ruling.reason) == ("undecided", "too_few_seeds")


@pytest.mark.parametrize("single", [0, 1])
def test_one_of_two_networks_with_one_seed_is_too_few_and_a_sum_without_any_is_no_sum(
    single: int, study: Study
) -> None:
    arms = [*study(0.02, 0.01, 0.01)]
    arms[single] = study(0.02, seeds=1)[single]
    assert judged(arms).ruling == Ruling("undecided", False, "too_few_seeds")
    assert judged([arms[0], *arms[2:]]).ruling == Ruling("undecided", False, "no_sum")


def test_a_control_that_waits_for_seeds_is_open(study: Study) -> None:
    arms = [*study(0.02), *study(0.02, 0.01, None, seeds=1)[3:]]
    result = judged(arms)
    assert (result.verdict.outcome, result.ruling.reason) == ("undecided", "open_control")
    assert result.under[0].missing == (("matched_flops", "none was retrained"),)


def failed(arm: Arm, *, diverged: Sequence[int] = (), **counts: int) -> FailedNetwork:
    failures = Failures(len(arm.seeds) + len(diverged) + sum(counts.values()), len(diverged), **counts)
    return FailedNetwork(arm.id, ("finalist",), arm.recipe, "a network", failures, tuple(diverged))


def without(arm: Arm, seeds: Sequence[int]) -> Arm:
    left = [index for index, seed in enumerate(arm.seeds) if seed not in seeds]
    values = tuple(arm.validation[index] for index in left)
    return replace(arm, seeds=tuple(arm.seeds[i] for i in left), scores=arm.scores[left], validation=values)


def judged_diverging(arms: Sequence[Arm], **diverged: Sequence[int]) -> Judgement:
    """The verdict where seeds of some networks, given by their place, diverged."""
    gone = {int(place.removeprefix("of")): seeds for place, seeds in diverged.items()}
    left = [without(arm, gone.get(place, ())) for place, arm in enumerate(arms)]
    return judged(left, failed=[failed(left[place], diverged=seeds) for place, seeds in gone.items()])


def test_what_diverges_more_than_it_is_compared_with_is_not_better(study: Study) -> None:
    arms = study(0.02, 0.01, 0.01)
    result = judged_diverging(arms, of0=[102])
    assert (result.verdict.outcome, result.ruling.reason) == ("undecided", "diverged")
    assert {one.outcome for one in result.verdict.comparisons} == {"undecided"}
    assert all(one.barred and one.contrast.outcome == "better" for one in result.under[0].comparisons)
    assert [one.diverged for one in result.verdict.comparisons[0].failed] == [1, 0]


def test_a_control_that_diverges_less_bars_a_gain_over_it_alone(study: Study) -> None:
    arms = study(0.02, 0.01, 0.01)
    result = judged_diverging(arms, of0=[102], of1=[101], of3=[100, 101])
    outcomes = {one.against: one.outcome for one in result.verdict.comparisons}
    assert outcomes == {
        "sum": "better",
        "uniform": "undecided",
        "matched_params": "better",
        "matched_flops": "undecided",
    }
    assert (result.verdict.outcome, result.ruling.reason) == ("undecided", "diverged")


@pytest.mark.parametrize(("gain", "outcome"), [(0.02, "better"), (0.0, "same"), (-0.02, "worse")])
def test_a_reference_that_diverges_more_leaves_the_comparison_as_it_is(
    gain: float, outcome: Outcome, study: Study
) -> None:
    arms = study(gain)
    result = judged_diverging(arms, of1=[100, 101], of0=[102])
    assert result.verdict.outcome == result.verdict.comparisons[0].outcome == outcome


@pytest.mark.parametrize(
    ("ours", "theirs", "outcome"),
    [
        ([110], [], "better"),
        ([101], [], "undecided"),
        ([101], [102], "better"),
    ],
)
def test_of_a_candidate_of_more_seeds_only_those_count_that_both_were_trained_on(
    ours: list[int], theirs: list[int], outcome: Outcome, study: Study
) -> None:
    arms = [study(0.02, seeds=12)[0], study(0.02, seeds=3)[1]]
    assert judged_diverging(arms, of0=ours, of1=theirs).verdict.outcome == outcome


@pytest.mark.parametrize(("theirs", "outcome"), [([100, 101], "better"), ([108, 110], "undecided")])
def test_nor_do_the_divergences_of_the_other_on_seeds_that_the_candidate_has_not(
    theirs: list[int], outcome: Outcome, study: Study
) -> None:
    arms = [study(0.02, seeds=3)[0], study(0.02, seeds=12)[1]]
    assert judged_diverging(arms, of0=[102], of1=theirs).verdict.outcome == outcome


def test_a_seed_that_the_other_lost_for_another_reason_counts_for_nobody(study: Study) -> None:
    arms = study(0.02)
    left = [without(arms[0], [104]), without(arms[1], [104])]
    lost = [failed(left[0], diverged=[104]), failed(left[1], out_of_memory=1)]
    assert judged(left, failed=lost).verdict.outcome == "better"


def test_what_failed_for_another_reason_decides_nothing(study: Study) -> None:
    arms = study(0.02, 0.01, 0.01)
    result = judged(arms, failed=[failed(arms[0], out_of_memory=2, other=1)])
    assert result.verdict.outcome == "better"
    assert result.verdict.failed[0].failures.total == 3


def test_divergence_changes_no_reason_that_further_seeds_or_equal_capacity_have(study: Study) -> None:
    arms = study(0.01, 0.01, 0.01, spread=0.05, seeds=3)
    assert judged_diverging(arms, of0=[102]).ruling.reason == "open"
    arms = study(0.02, 0.0, 0.0)
    assert judged_diverging(arms, of0=[102]).ruling.reason == "capped"


def test_what_is_open_and_diverges_more_often_needs_another_recipe_and_no_seeds(study: Study) -> None:
    """Further seeds can show a gain no more; where there is none they can show that it is the same, or worse."""
    arms = study(0.01, 0.01, 0.01, spread=0.05, seeds=3)
    assert_advice(judged_diverging(arms, of0=[101]), seeds=False)
    assert_advice(judged_diverging(arms, of1=[101]), seeds=True)
    none = study(0.001, 0.001, 0.001, spread=0.05, seeds=3)
    assert_advice(judged_diverging(none, of0=[101]), seeds=True)


def assert_advice(result: Judgement, *, seeds: bool) -> None:
    lines = " ".join(evidence(result))
    assert result.ruling.reason == "open"
    assert ("Further seeds narrow the intervals" in lines) == seeds
    assert ("with a lower `lr`" in lines) != seeds


def test_under_a_recipe_that_does_not_diverge_it_is_better(study: Study) -> None:
    """What the verdict advises where trainings diverge."""
    arms = [*study(0.02, 0.01, 0.01), *study(0.02, 0.01, 0.01, recipe="gentle")]
    result = judged_diverging(arms, of0=[102])
    assert [(one.recipe, one.ruling.outcome) for one in result.under] == [
        ("default", "undecided"),
        ("gentle", "better"),
    ]
    assert result.ruling == Ruling("undecided", False, "diverged")


def test_a_control_or_a_recipe_without_any_result_is_open(study: Study, network: Network) -> None:
    """Controls that all failed and recipes that never began were asked for: `better` would be without them."""
    arms, finalist = study(0.02), network("sum sum iaff").id
    assert judged(arms).ruling.reason == "no_control"
    failed = judged(arms, awaited={(finalist, "matched_params")})
    assert (failed.verdict.outcome, failed.ruling.reason) == ("undecided", "open_control")
    unbegun = judged(study(0.02, 0.01, 0.01), recipes=("default", "long"))
    assert (unbegun.verdict.outcome, unbegun.ruling.reason) == ("undecided", "open")


def test_at_one_of_several_looks_p_fits_the_interval(study: Study) -> None:
    looks = Looks(3, 12, margin=MARGIN)
    for gain in np.linspace(0.0, 0.03, 31):
        compared = judged(study(float(gain), spread=0.01, seeds=3), looks=looks).against("sum")[0].contrast
        assert (compared.p < 0.05) == (not compared.low <= 0 <= compared.high)
        assert compared.confidence == 0.95


def test_a_missing_control_says_why(study: Study, network: Network) -> None:
    why = {(network("sum sum iaff").id, "matched_flops"): "a traced network cannot be widened"}
    result = judged(study(0.02, 0.01), missing=why)
    assert result.under[0].missing == (("matched_flops", "a traced network cannot be widened"),)


def test_the_candidate_is_picked_by_validation_not_by_test(arm: Callable[..., Arm]) -> None:
    lucky = arm("iaff", "finalist", 0.99, 0.90)
    solid = arm("aff", "finalist", 0.95, 0.91)
    base = arm("sum", "original finalist", 0.90, 0.99)
    assert candidate_id([lucky, solid, base], ACCURACY) == solid.id
    result = judged([lucky, solid, base])
    assert [one.candidate.id for one in result.under[0].others] == [lucky.id]


def test_the_mean_over_recipes_picks_and_only_whole_finalists_count(arm: Callable[..., Arm]) -> None:
    steady = [arm("aff", "finalist", 0.9, 0.92, recipe=recipe) for recipe in ("default", "long")]
    uneven = [arm("iaff", "finalist", 0.9, value, recipe=r) for value, r in ((0.93, "default"), (0.90, "long"))]
    half = arm("aff aff sum", "finalist", 0.9, 0.99)
    assert candidate_id([*uneven, *steady, half], ACCURACY) == steady[0].id


def test_a_lucky_single_seed_wins_only_where_nobody_has_two(arm: Callable[..., Arm]) -> None:
    """Two of three trainings of `lucky` have diverged."""
    lucky = arm("iaff", "finalist", 0.95, 0.95, seeds=1)
    solid, base = arm("aff", "finalist", 0.93, 0.91, seeds=3), arm("sum", "original", 0.90)
    result = judged([lucky, solid, base])
    assert (result.verdict.candidate, result.verdict.outcome) == (solid.id, "better")
    short = arm("aff", "finalist", 0.93, 0.91, seeds=1)
    assert candidate_id([lucky, short, base], ACCURACY) == lucky.id
    both = [arm("aff", "finalist", 0.93, 0.91, recipe=recipe) for recipe in ("default", "long")]
    once = [arm("iaff", "finalist", 0.95, 0.95, recipe="default"), arm("iaff", "finalist", 0.9, recipe="long", seeds=1)]
    assert candidate_id([*once, *both], ACCURACY) == both[0].id


def test_a_recipe_that_the_candidate_waits_for_leaves_it_open(study: Study) -> None:
    arms = [*study(0.02, 0.01, 0.01), *study(0.02, 0.01, 0.01, recipe="long")[1:]]
    result = judged(arms)
    assert (result.verdict.outcome, result.ruling.reason) == ("undecided", "open")


def test_of_a_loss_the_lowest_is_picked_and_gains_are_decreases(arm: Callable[..., Arm]) -> None:
    arms = [arm("aff", "finalist", 0.30), arm("iaff", "finalist", 0.40), arm("sum", "original", 0.35)]
    result = judge(arms, MEASURES["loss"], margin=MARGIN)
    assert result is not None
    assert result.verdict.candidate == arms[0].id
    assert result.verdict.comparisons[0].gain == pytest.approx(0.05)
    assert result.verdict.outcome == "better"


def test_nobody_stands_in_for_finalists_of_which_none_is_left(arm: Callable[..., Arm], network: Network) -> None:
    gone = network("sum sum iaff").id
    base, uniform = arm("sum", "original uniform:sum", 0.90), arm("aff", "uniform:aff", 0.95)
    assert judged([base, uniform]).verdict.outcome == "better"
    lost = FailedNetwork(gone, ("finalist",), "default", "a network", Failures(3, diverged=3), (1, 2, 3))
    for settings in ({"failed": [lost]}, {"entered": {gone}}):
        for arms in ([base, uniform], [base]):
            assert judged(arms, **settings).ruling == Ruling("undecided", False, "no_finalist")
    sums = replace(lost, id=base.id, roles=("finalist", "original"))
    assert judged([base, uniform], failed=[sums]).ruling.reason == "no_control"


def test_a_recipe_under_which_the_candidate_has_only_diverged_is_of_that_reason(study: Study) -> None:
    first, *rest = study(0.02, 0.01, 0.01)
    lost = FailedNetwork(first.id, ("finalist",), "default", "a network", Failures(5, diverged=5), first.seeds)
    result = judged([*rest, *study(0.02, 0.01, 0.01, recipe="gentle")], failed=[lost])
    assert result.ruling == Ruling("undecided", False, "diverged")
    assert headline(result) == "Undecided: better under 1 of 2 recipes."


def test_without_another_finalist_the_best_uniform_network_is_the_candidate(arm: Callable[..., Arm]) -> None:
    base = arm("sum", "finalist original uniform:sum", 0.95)
    arms = [base, arm("aff", "uniform:aff", 0.90), arm("iaff", "uniform:iaff", 0.91)]
    result = judged(arms)
    assert result.verdict.candidate == arms[2].id
    assert result.verdict.outcome == "worse"
    alone = judged([base])
    assert (alone.verdict.outcome, alone.ruling.reason, alone.verdict.comparisons) == ("same", "alone", ())


def test_a_uniform_candidate_is_not_compared_with_itself_nor_twice_with_the_sum(arm: Callable[..., Arm]) -> None:
    best, base = arm("aff", "finalist uniform:aff", 0.95), arm("sum", "original uniform:sum", 0.93)
    assert [one.against for one in judged([best, base]).verdict.comparisons] == ["sum"]
    third = arm("iaff", "uniform:iaff", 0.94)
    assert [one.id for one in judged([best, base, third]).verdict.comparisons] == [base.id, third.id]


def test_nothing_retrained_is_no_verdict(arm: Callable[..., Arm]) -> None:
    assert judge([], ACCURACY, margin=MARGIN) is None
    assert judge([arm("sum", "ablation:stem", 0.9)], ACCURACY, margin=MARGIN) is None


@pytest.mark.parametrize(
    ("gains", "outcome", "reason"),
    [
        ((0.02, 0.02), "better", "gain"),
        ((0.02, -0.02), "undecided", "recipes"),
        ((-0.02, -0.02), "worse", "loss"),
        ((0.02, 0.0), "undecided", "recipes"),
    ],
)
def test_what_holds_under_every_recipe_holds(
    gains: tuple[float, float], outcome: Outcome, reason: str, study: Study
) -> None:
    arms = [arm for gain, recipe in zip(gains, ("default", "long"), strict=True)
            for arm in study(gain, 0.01, 0.01, recipe=recipe)]  # fmt: skip
    result = judged(arms)
    assert (result.verdict.outcome, result.ruling.reason) == (outcome, reason)
    assert list(dict.fromkeys(entry.recipe for entry in result.verdict.comparisons)) == ["default", "long"]


def test_each_point_earned_what_its_loss_costs(study: Study, arm: Callable[..., Arm], network: Network) -> None:
    first, _, last = (name for name, _ in network("sum").choices)
    whole, _, *others = study(0.02, 0.01, 0.01)
    set_back = arm("sum", f"original ablation:{last}", 0.88)
    foreign = arm("aff sum sum", f"ablation:{first}", 0.88)
    earned = judged([whole, set_back, *others, foreign]).under[0].earned
    assert [one.point for one in earned] == [last]
    assert earned[0].compared.contrast.gain == pytest.approx(0.02)
    # Set back from the same network at another learning rate, it says nothing of this one.
    elsewhere = replace(set_back, hyperparameters={"train.lr": 0.3})
    assert judged([whole, elsewhere, *others]).under[0].earned == ()


def test_intervals_of_other_finalists_hold_together(study: Study, arm: Callable[..., Arm]) -> None:
    others = [arm(name, "finalist", 0.89, 0.5) for name in ("iaff", "aff iaff sum", "iaff iaff sum")]
    result = judged([*study(0.02), *others])
    compared = result.under[0].others
    assert len(compared) == 3
    single = judged([*study(0.02), others[0]]).under[0].others[0].contrast
    together = compared[0].contrast
    assert together.high - together.low > single.high - single.low
    assert together.p > single.p


def test_who_was_picked_among_several_has_wider_intervals(study: Study, arm: Callable[..., Arm]) -> None:
    others = [arm(name, "finalist", 0.89, 0.5) for name in ("iaff", "aff iaff sum")]
    for looks in (None, Looks(3, 12, margin=MARGIN)):
        alone, picked = (
            judged(arms, looks=looks).under[0].comparisons
            for arms in (study(0.02, 0.01, 0.01), [*study(0.02, 0.01, 0.01), *others])
        )
        widths = [[one.contrast.high - one.contrast.low for one in found] for found in (alone, picked)]
        assert len(widths[0]) == 4
        assert (np.array(widths[1]) > 1.05 * np.array(widths[0])).all()
        assert {one.contrast.confidence for one in picked} == {0.95}


def test_what_a_point_earned_allows_for_the_picking_too(
    study: Study, arm: Callable[..., Arm], network: Network
) -> None:
    set_back = arm("sum", f"original ablation:{network('sum').choices[-1][0]}", 0.88)
    others = [arm(name, "finalist", 0.89, 0.5) for name in ("iaff", "aff iaff sum")]
    whole, _, *rest = study(0.02, 0.01, 0.01)
    alone, picked = (judged([whole, set_back, *more]).under[0].earned[0].compared for more in (rest, [*rest, *others]))
    assert picked.contrast.high - picked.contrast.low > 1.05 * (alone.contrast.high - alone.contrast.low)


@pytest.mark.parametrize("gain", np.linspace(0.0, 0.04, 15))
def test_p_fits_the_interval_of_who_was_picked_among_several(
    gain: float, study: Study, arm: Callable[..., Arm]
) -> None:
    others = [arm(name, "finalist", 0.89, 0.5) for name in ("iaff", "aff iaff sum")]
    compared = judged([*study(gain, spread=0.01), *others]).against("sum")[0].contrast
    assert (compared.p < 0.05) == (not compared.low <= 0 <= compared.high)


def test_other_images_are_refused(arm: Callable[..., Arm]) -> None:
    arms = [arm("aff", "finalist", 0.9), arm("sum", "original", 0.9, images=999)]
    with pytest.raises(DataError, match="the same images"):
        judge(arms, ACCURACY, margin=MARGIN)


def test_an_arm_fits_its_seeds(study: Study) -> None:
    first = study(0.01)[0]
    with pytest.raises(SpecError, match=r"with 2 seeds, scores \(5, 1000\) and 5 validation"):
        Arm(first.id, None, (), "default", (1, 2), first.scores, first.validation, None, 1, 1)
    with pytest.raises(SpecError, match="an arm needs scores"):
        Arm(first.id, None, (), "default", (1,), np.zeros(5), (0.5,), None, 1, 1)
