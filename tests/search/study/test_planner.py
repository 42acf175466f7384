"""Which training is next: every seed for everyone, or further ones where the verdict is open."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest

from reports.comparison import SeedPlan
from reports.comparison.comparing import contrast
from reports.comparison.components import components
from reports.comparison.family import of_the_best
from reports.judging.candidate import candidate_id
from reports.measures import MEASURES
from reports.retrained.arm import Arm, Part
from reports.retrained.participant import Participant
from search.study.adaptive_planner import HOPELESS, AdaptivePlanner
from search.study.planner import FixedPlanner, Result, Wanted, leader, seed_list

IMAGES = 2000


def people(space) -> list[Participant]:
    best, base, wide = space.uniform("aff", 2), space.uniform("sum"), space.uniform("concat")
    return [
        Participant(best, (("finalist", ""),)),
        Participant(base, (("original", ""),)),
        Participant(wide, (("matched_params", best.id), ("matched_flops", best.id))),
    ]


def carried_out(planner, accuracy, validation=None) -> list[Result]:
    """What a planner has trained once it wants nothing more, one training at a time."""
    done: list[Result] = []
    while wanted := planner.next(done, []):
        one = wanted[0]
        done.append(Result(one, len(done), "complete", (validation or accuracy)[one.id]))
        assert len(done) < 200
    return done


def test_seeds_are_different_and_not_that_of_the_search_and_a_longer_list_begins_as_a_shorter_one():
    for seed in range(20):
        long = seed_list(seed, 50)
        assert len(set(long)) == 50
        assert seed not in long
        assert seed_list(seed, 3) == long[:3]
    assert seed_list(0, 3) != seed_list(1, 3)


def test_everyone_is_trained_seed_by_seed_under_every_recipe(space):
    planner = FixedPlanner(people(space), ["default", "long"], (11, 12, 13), 2)
    plan = list(planner.next([], []))
    assert len(plan) == planner.most() == 3 * 2 * 3
    assert [one.seed for one in plan] == [11] * 6 + [12] * 6 + [13] * 6
    assert len({(one.id, one.recipe) for one in plan[:6]}) == 6
    done = [Result(plan[0], 0, "failed", np.nan), Result(plan[1], 1, "complete", 0.5)]
    assert list(planner.next(done, [plan[3]])) == [plan[2], *plan[4:]]


def test_ablations_get_the_first_seeds_under_the_default_recipe_alone(space):
    apart = Participant(space.uniform("aff", 4), (("ablation", "stage1.block1"),))
    plan = FixedPlanner([*people(space), apart], ["default", "long"], (11, 12, 13), 2).next([], [])
    assert [one[1:] for one in plan if one.id == apart.id] == [("default", 11), ("default", 12)]


def test_the_leader_is_the_finalist_of_the_best_validation_over_seeds_and_recipes(space):
    first, second = (Participant(space.uniform("aff", r), (("finalist", ""),)) for r in (2, 4))
    base = Participant(space.uniform("sum"), (("original", ""),))
    scores = [(first, "default", 0.9), (first, "long", 0.9), (second, "default", 0.95), (second, "long", 0.89)]
    done = [Result(Wanted(one.id, recipe, 1), n, "complete", v) for n, (one, recipe, v) in enumerate(scores)]
    done.append(Result(Wanted(base.id, "default", 1), 9, "complete", 0.99))
    assert leader([first, second, base], done, -1.0) is second
    assert leader([first, second, base], done, 1.0) is first
    assert leader([first, second, base], done[:3], -1.0) is first
    assert leader([base], done, -1.0) is None


@pytest.mark.parametrize("salt", range(40))
def test_the_leader_is_the_candidate_of_the_verdict(space, salt):
    """Whatever has been trained: the seeds go to whom the verdict is about."""
    rng = np.random.default_rng(salt)
    networks = space.uniform("aff", 2), space.uniform("aff", 4), space.uniform("concat")
    finalists = [Participant(one, (("finalist", ""),)) for one in networks]
    done, arms = [], []
    for one, recipe in itertools.product(finalists, ("default", "long")[: rng.integers(1, 3)]):
        values = tuple(rng.random(rng.integers(0, 4)))
        done += [Result(Wanted(one.id, recipe, n), n, "complete", value) for n, value in enumerate(values)]
        if values:
            parts, seeds = (Part("finalist"),), tuple(range(len(values)))
            arms.append(Arm(one.id, None, parts, recipe, seeds, np.zeros((len(seeds), 2)), values, None, 1, 1))
    best = leader(finalists, done, -1.0)
    assert candidate_id(arms, MEASURES["accuracy"]) == ("" if best is None else best.id)


@pytest.fixture
def adaptive(space):
    """A planner over made-up networks whose images are right with these chances."""

    def make(accuracy, *, least=3, most=8, flat=False, recipes=("default",), besides=()):
        def scores(identity, numbers):
            hard = np.random.default_rng(5).normal(0, 0.3, IMAGES)
            chance = np.clip(accuracy[identity] + hard, 0, 1)
            if flat:
                return np.full((len(numbers), 1), accuracy[identity])
            return np.stack([np.random.default_rng([7, n]).random(IMAGES) < chance for n in numbers]).astype(float)

        seeds = seed_list(0, most + least)
        quality = MEASURES["accuracy"]
        everyone = [*people(space), *besides]
        return AdaptivePlanner(everyone, recipes, seeds, least, most, scores=scores, quality=quality, margin=0.0025)

    return make


def test_what_is_decided_gets_no_further_seed(adaptive, space):
    best, base, wide = (one.id for one in people(space))
    accuracy = {best: 0.75, base: 0.45, wide: 0.45}
    done = carried_out(adaptive(accuracy), accuracy)
    assert len(done) == 9


def test_what_is_worse_than_the_sum_is_not_compared_with_the_controls(adaptive, space):
    best, base, wide = (one.id for one in people(space))
    accuracy = {best: 0.45, base: 0.75, wide: 0.45}
    assert len(carried_out(adaptive(accuracy), accuracy)) == 9


def test_what_is_open_gets_further_seeds_and_nobody_else(adaptive, space):
    best, base, wide = (one.id for one in people(space))
    accuracy = {best: 0.75, base: 0.45, wide: 0.728}
    done = carried_out(adaptive(accuracy), accuracy)
    seeds = {name: sum(one.training.id == name for one in done) for name in accuracy}
    assert seeds[base] == 3
    assert seeds[best] > 3
    assert seeds[wide] > 3
    assert max(seeds.values()) <= 8
    assert len({one.training for one in done}) == len(done)


def test_nothing_is_decided_while_the_first_seeds_are_in_training(adaptive, space):
    """Whoever is in training may lead in the end, so that further seeds would go to the wrong network."""
    best, base, wide = (one.id for one in people(space))
    rival = Participant(space.uniform("aff", 4), (("finalist", ""),))
    accuracy = {best: 0.75, base: 0.45, wide: 0.728, rival.id: 0.5}
    planner = adaptive(accuracy, besides=(rival,))
    plan = planner.next([], [])
    assert len(plan) == 12
    assert planner.most() >= 12
    assert plan[-1].id == rival.id
    done = [Result(one, n, "complete", accuracy[one.id]) for n, one in enumerate(plan)]
    assert list(planner.next(done[:-1], [plan[-1]])) == []
    assert len(planner.next(done, [])) == 1


def test_a_failed_training_is_replaced_by_one_with_a_further_seed(adaptive, space):
    best, base, wide = (one.id for one in people(space))
    planner = adaptive({best: 0.75, base: 0.45, wide: 0.45})
    plan = planner.next([], [])
    done = [Result(one, n, "failed" if n == 0 else "complete", 0.6) for n, one in enumerate(plan)]
    (further,) = planner.next(done, [])
    assert further == Wanted(plan[0].id, "default", seed_list(0, 8)[3])


def test_a_failed_training_takes_no_seed_from_an_open_comparison(adaptive, space):
    """Of eight seeds three fail; the leader gets more than the five that are left wherever it is still open."""
    best, base, wide = (one.id for one in people(space))
    seeds, most = seed_list(0, 8), 0
    unlucky = {seeds[0], seeds[3], seeds[4]}
    for rival in np.arange(0.728, 0.74, 0.002):
        accuracy = {best: 0.75, base: 0.45, wide: float(rival)}
        planner = adaptive(accuracy)
        done: list[Result] = []
        while wanted := planner.next(done, []):
            failed = wanted[0].id == best and wanted[0].seed in unlucky
            done.append(Result(wanted[0], len(done), "failed" if failed else "complete", accuracy[wanted[0].id]))
        scores = {name: planner._scores(name, numbers(done, name)) for name in (best, wide)}
        (pair,) = SeedPlan(3, 8).standing(scores, [(best, wide)]).pairs
        assert pair.state in ("closed", "hopeless", "exhausted")
        assert len({one.training for one in done}) == len(done)
        most = max(most, counts(done, "complete")[best])
    assert most > 5


def test_whoever_fails_again_and_again_runs_out_of_seeds_and_the_other_goes_on(adaptive, space):
    best, base, wide = (one.id for one in people(space))
    accuracy = {best: 0.75, base: 0.45, wide: 0.728}
    planner = adaptive(accuracy)
    done: list[Result] = []
    while wanted := planner.next(done, []):
        failed = wanted[0].id == wide and counts(done, "complete")[wide] >= 3
        done.append(Result(wanted[0], len(done), "failed" if failed else "complete", accuracy[wanted[0].id]))
        assert len(done) < 200
    assert (counts(done, "complete")[wide], counts(done, "failed")[wide]) == (3, 8)
    assert counts(done, "complete")[best] == 8


@pytest.mark.parametrize(("sum_scores", "control"), [(0.45, 0.728), (0.734, 0.45)])
def test_a_leader_that_diverges_more_often_gets_no_seed_that_could_only_show_that_it_is_better(
    adaptive, space, sum_scores, control
):
    """Better than the sum, or open against it: it cannot be `better`, whatever further seeds show."""
    best, base, wide = (one.id for one in people(space))
    accuracy = {best: 0.75, base: sum_scores, wide: control}
    assert len(diverging(adaptive(accuracy), accuracy, {best: 0})) > 9
    once = diverging(adaptive(accuracy), accuracy, {best: 1})
    assert counts(once, "complete") == {best: 3, base: 3, wide: 3}


def test_a_leader_that_diverges_goes_on_where_it_may_be_shown_to_be_worse(adaptive, space):
    best, base, wide = (one.id for one in people(space))
    accuracy = {best: 0.734, base: 0.75, wide: 0.45}
    assert counts(diverging(adaptive(accuracy), accuracy, {best: 1}), "complete")[best] > 3


def test_a_leader_that_diverges_no_more_often_than_others_goes_on(adaptive, space):
    best, base, wide = (one.id for one in people(space))
    accuracy = {best: 0.75, base: 0.45, wide: 0.728}
    found = diverging(adaptive(accuracy), accuracy, {best: 1, base: 1, wide: 1})
    assert counts(found, "complete")[best] > 3


def diverging(planner, accuracy, times) -> list[Result]:
    """What a planner has trained once it wants nothing more, where first seeds of networks diverge."""
    done: list[Result] = []
    while wanted := planner.next(done, []):
        one = wanted[0]
        if seed_list(0, 8).index(one.seed) < times.get(one.id, 0):
            done.append(Result(one, len(done), "failed", np.nan, diverged=True))
        else:
            done.append(Result(one, len(done), "complete", accuracy[one.id]))
        assert len(done) < 200
    return done


def counts(done, state) -> Counter[str]:
    return Counter(one.training.id for one in done if one.state == state)


def test_the_more_finalists_the_surer_one_must_be_and_planner_and_verdict_agree(adaptive, space):
    """At the first look the planner goes on exactly where the verdict's interval leaves it open, and not hopelessly."""
    best, base, wide = (one.id for one in people(space))
    rivals = [Participant(space.sample(np.random.default_rng(n)), (("finalist", ""),)) for n in (1, 2)]
    sure = [of_the_best(0.95, count) for count in (1, 3)]
    between = 0
    for gap in np.linspace(0.03, 0.06, 31):
        accuracy = {best: 0.5 + gap, base: 0.5, wide: 0.1} | {one.id: 0.2 for one in rivals}
        for number, besides in enumerate(((), rivals)):
            planner = adaptive(accuracy, besides=besides)
            done = [Result(one, n, "complete", accuracy[one.id]) for n, one in enumerate(planner.next([], []))]
            parts = components(*(planner._scores(name, numbers(done, name)) for name in (best, base)))
            found = [SeedPlan(3, 8, confidence=one).looks(1) for one in sure]
            open_at = [
                contrast(parts, 0.0025, float(one.confidence_now(parts))).outcome == "undecided" for one in found
            ]
            assert bool(planner.next(done, [])) == (open_at[number] and float(found[number].chance(parts)) > HOPELESS)
            between += open_at == [False, True]
    assert between


def numbers(done, name) -> list[int]:
    return [one.number for one in done if one.training.id == name and one.state == "complete"]


def test_a_measure_without_images_gets_every_seed(adaptive, space):
    accuracy = dict.fromkeys((one.id for one in people(space)), 0.6)
    assert len(carried_out(adaptive(accuracy, flat=True), accuracy)) == 3 * 8
