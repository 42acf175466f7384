"""Early stops: compared at equal epochs, on exact costs, never against dominance, by name."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_info, threadpool_limits

import search
import spaces
from fusion_ops.errors import ConfigError, SpecError, UnknownNameError
from search.strategy.curves import fit, jitter
from search.strategy.pruners import PRUNERS, ParetoPruner, check_pruner, create_pruner
from search.strategy.pruners.history import LATEST, Curve, History
from search.strategy.pruners.rule import ParetoRule
from search.training.schedule import rungs

ONE, TWO = ("accuracy",), ("accuracy", "params")
STOCK = ("median", "percentile", "asha", "hyperband", "wilcoxon", "patient")


def taught(rule: ParetoRule, count: int = 10, cost: float = 100.0) -> ParetoRule:
    """Return the rule after completed candidates that gain 0.3 from epoch 1 to 2, each dearer and better."""
    for i in range(count):
        first = 0.5 + i / 50 + 0.001 * (i % 3)
        costs = (cost + 10 * i,) if rule.costs else ()
        rule.learn(Curve(i, {1: (first,), 2: (first + 0.3,)}, costs, (first + 0.3,)))
    return rule


def pareto(objectives=TWO, **settings) -> ParetoRule:
    return ParetoRule(objectives, epochs=2, **({"share": 0.0} | settings))


def test_a_dominated_optimistic_end_is_stopped_and_says_by_whom():
    stop = taught(pareto()).judge(Curve(99, {1: (0.5,)}, (150.0,)))
    assert stop is not None
    assert (stop.epoch, stop.audit) == (1, False)
    assert "from epoch 1; candidate" in stop.reason
    assert "at no more cost" in stop.reason


def test_a_candidate_smaller_than_all_goes_on_however_bad():
    assert taught(pareto()).judge(Curve(99, {1: (0.0,)}, (99.0,))) is None


def test_a_promising_candidate_goes_on():
    assert taught(pareto()).judge(Curve(99, {1: (0.8,)}, (500.0,))) is None


def test_too_few_peers_stop_nothing():
    hopeless = Curve(99, {1: (0.0,)}, (900.0,))
    assert taught(pareto(peers=8), 7).judge(hopeless) is None
    assert taught(pareto(peers=8), 8).judge(hopeless) is not None


def test_peers_are_compared_at_the_same_epoch():
    rule = pareto()
    for i in range(10):
        rule.learn(Curve(i, {2: (0.8,)}, (100.0,), (0.8,)))
    assert rule.judge(Curve(99, {1: (0.0,)}, (900.0,))) is None


def test_a_cost_that_is_not_known_yet_stops_nothing():
    assert taught(pareto()).judge(Curve(99, {1: (0.0,)}, (float("nan"),))) is None


def test_one_objective_compares_with_all():
    assert taught(pareto(ONE)).judge(Curve(99, {1: (0.4,)}, ())) is not None
    assert taught(pareto(ONE)).judge(Curve(98, {1: (0.9,)}, ())) is None


def test_the_last_epoch_is_no_place_to_stop():
    assert taught(pareto()).judge(Curve(99, {2: (0.0,)}, (900.0,))) is None


def test_the_whole_curve_counts():
    """Slow starters that reach the same end: the value at epoch 2 alone says nothing, its slope says all."""
    rule = ParetoRule(TWO, epochs=4, share=0.0)
    rng = np.random.default_rng(0)
    for i in range(40):
        first, slope = rng.uniform(0.2, 0.6), rng.uniform(0.0, 0.2)
        end = first + 3 * slope
        rule.learn(Curve(i, {1: (first,), 2: (first + slope,), 4: (end,)}, (100.0,), (end,)))
    assert rule.judge(Curve(90, {1: (0.55,), 2: (0.6,)}, (100.0,))) is not None
    assert rule.judge(Curve(91, {1: (0.36,), 2: (0.58,)}, (99.9,))) is None


def test_the_architecture_counts_where_curves_say_little():
    """Curves that start alike and end apart: what tells them apart is the operator."""
    rule = ParetoRule(TWO, epochs=4, share=0.0)
    rng = np.random.default_rng(0)
    for i in range(40):
        good = i % 2
        end = 0.6 + 0.2 * good + rng.normal(0, 0.005)
        rule.learn(Curve(i, {1: (rng.uniform(0.2, 0.3),), 4: (end,)}, (100.0,), (end,), (1.0 - good, float(good))))
    start = {1: (0.25,)}
    assert rule.judge(Curve(90, start, (99.0,), (), (0.0, 1.0))) is None
    assert rule.judge(Curve(91, start, (101.0,), (), (1.0, 0.0))) is not None


def test_traits_that_say_nothing_change_next_to_nothing():
    rng = np.random.default_rng(1)
    start, noise = rng.uniform(0.2, 0.4, size=(60, 1)), rng.normal(size=(60, 12))
    ends = 0.5 + start[:, 0] + rng.normal(0, 0.002, 60)
    with_traits = fit(np.concatenate([start, noise], axis=1), ends, traits=12)
    expected, error = with_traits.at(np.concatenate([[0.3], rng.normal(size=12)]))
    plain, plain_error = fit(start, ends).at(np.array([0.3]))
    assert expected == pytest.approx(plain, abs=0.002)
    assert error <= 1.2 * plain_error


def test_caution_grows_towards_half_of_a_training():
    rule = ParetoRule(TWO, epochs=16, deviations=(0.5, 1.5))
    granted = [rule._granted(epoch) for epoch in (1, 2, 4, 8, 12)]
    assert granted == pytest.approx([0.5, 0.5 + 1 / 3, 0.5 + 2 / 3, 1.5, 1.5])
    assert ParetoRule(TWO, epochs=2, deviations=(0.5, 1.5))._granted(1) == 1.5


def test_predictions_rest_on_how_many_are_known_not_on_when_they_were_asked_for():
    """All of the first 32; later in steps, the same for a pruner that was asked all the time and for a new one."""
    rng = np.random.default_rng(2)
    starts = rng.uniform(0.2, 0.4, 90)
    curves = [Curve(i, {1: (s,), 2: (s + 0.4,)}, (100.0 + i,), (s + 0.4,)) for i, s in enumerate(starts.tolist())]
    asked, peers = History(), []
    for curve in curves:
        asked.learn(curve)
        peers.append(asked.at((1,)).peers)
    assert peers[:32] == list(range(1, 33))
    assert peers[62:73] == [62, 64, 64, 64, 64, 68, 68, 68, 68, 72, 72]
    new = History()
    for curve in curves:
        new.learn(curve)
    assert new.at((1,)).forecasts[0].weights == pytest.approx(asked.at((1,)).forecasts[0].weights, rel=1e-12)
    assert new.at((1,)).peers == 88


def test_what_no_prediction_can_rest_on_any_more_is_forgotten():
    rng = np.random.default_rng(3)
    starts = rng.uniform(0.2, 0.4, 5_000).tolist()
    curves = [Curve(i, {1: (s,), 2: (s + 0.4,)}, (100.0 + i,), (s + 0.4,)) for i, s in enumerate(starts)]
    history = History()
    for count, curve in enumerate(curves, start=1):
        history.learn(curve)
        if count % 617 == 0:
            few = History()
            basis = count - count % (1 << max(count // 16, 1).bit_length() - 1)
            for one in curves[max(basis - LATEST, 0) : basis]:
                few.learn(one)
            assert history.at((1,)).peers == min(basis, LATEST)
            latest = [few._curves[-LATEST:], history._curves[: basis - history._forgotten][-LATEST:]]
            assert latest[0] == latest[1]
            assert history.at((1,)).forecasts[0].weights == pytest.approx(
                history._fitted(latest[0], (1,))[0].weights, rel=1e-12
            )
    assert len(history._curves) == len(history._jitter) <= LATEST + 5_000 // 8


def test_a_quality_out_of_reach_of_its_constraint_is_stopped():
    cheap = Curve(99, {1: (0.1,)}, (1.0,))
    assert taught(pareto()).judge(cheap) is None
    stop = taught(pareto(constraints={"accuracy": 0.7})).judge(cheap)
    assert stop is not None
    assert "its constraint on accuracy is out of reach" in stop.reason


def test_a_prediction_is_never_surer_than_the_noise_of_a_training():
    x = np.linspace(0, 1, 20)[:, None]
    sure = fit(x, x[:, 0], 0.0)
    noisy = fit(x, x[:, 0], 0.05)
    assert noisy.at(np.array([0.5]))[1] >= 0.05 > 2 * sure.at(np.array([0.5]))[1]
    assert noisy.at(np.array([0.5]))[0] == pytest.approx(0.5, abs=1e-9)
    rng = np.random.default_rng(0)
    steps = np.arange(200)
    assert jitter(1 - np.exp(-steps / 20)) < 1e-4
    assert jitter(1 - np.exp(-steps / 20) + rng.normal(0, 0.01, 200)) == pytest.approx(0.01, rel=0.3)


values = st.integers(0, 20).map(lambda step: step / 20)
costs = st.integers(1, 6).map(float)
completed = st.lists(st.tuples(values, values, values, costs), min_size=4, max_size=12)
trained = st.lists(st.tuples(values, values, costs), min_size=2, max_size=8)


@settings(max_examples=80, deadline=None)
@given(completed, trained, st.tuples(st.floats(0, 3), st.floats(0, 3)), st.integers(0, 99))
def test_decisions_of_one_state_of_knowledge_never_contradict_dominance(peers, candidates, deviations, seed):
    """Whatever is known of the architectures: here, two random traits."""
    rule = ParetoRule(TWO, epochs=4, peers=4, deviations=deviations, share=0.0)
    traits = np.random.default_rng(seed).normal(size=(200, 2))
    for i, (first, second, last, cost) in enumerate(peers):
        rule.learn(Curve(i, {1: (first,), 2: (second,), 4: (last,)}, (cost,), (last,), tuple(traits[i])))
    decided = [
        (
            second,
            cost,
            rule.judge(Curve(100 + i, {1: (first,), 2: (second,)}, (cost,), (), tuple(traits[100 + i]))) is not None,
        )
        for i, (first, second, cost) in enumerate(candidates)
    ]
    for quality, cost, stopped in decided:
        for other, others_cost, others_stopped in decided:
            if stopped and other <= quality and others_cost >= cost:
                assert others_stopped


@settings(max_examples=40, deadline=None)
@given(completed, st.tuples(values, values, costs), st.randoms())
def test_the_order_in_which_candidates_completed_does_not_matter(peers, candidate, random):
    first, second, cost = candidate
    verdicts = []
    for _ in range(2):
        rule = ParetoRule(TWO, epochs=4, peers=4, share=0.0)
        for i, (one, two, last, peer_cost) in peers_in_order(peers, random):
            rule.learn(Curve(i, {1: (one,), 2: (two,), 4: (last,)}, (peer_cost,), (last,)))
        verdicts.append(rule.judge(Curve(99, {1: (first,), 2: (second,)}, (cost,))) is None)
    assert verdicts[0] == verdicts[1]


def peers_in_order(peers, random):
    numbered = list(enumerate(peers))
    random.shuffle(numbered)
    return numbered


def test_about_a_share_of_the_stopped_runs_on_chosen_by_seed_and_number():
    def audited(seed: int) -> list[int]:
        rule = taught(pareto(share=0.05, seed=seed))
        stops = [rule.judge(Curve(number, {1: (0.4,)}, (300.0,))) for number in range(100, 1100)]
        assert all(stop is not None for stop in stops)
        return [number for number, stop in enumerate(stops) if stop.audit]

    first = audited(0)
    assert 25 <= len(first) <= 80
    assert first == audited(0)
    assert first != audited(1)


# By name


@pytest.fixture(scope="module")
def space():
    return spaces.create("resnet", depth=8, width=4, num_classes=10, in_channels=3)


@pytest.mark.parametrize("name", STOCK)
def test_what_compares_one_value_is_refused_on_several_objectives(space, name):
    with pytest.raises(ConfigError, match=rf"`search.pruner: {name}` .*2 objectives \(accuracy, params\); use `auto`"):
        create_pruner(name, space, TWO)
    assert isinstance(create_pruner(name, space, ONE), optuna.pruners.BasePruner)


def test_every_pruner_is_known_by_name(space):
    assert set(PRUNERS) == {*STOCK, "auto", "pareto", "none"}
    assert isinstance(create_pruner("auto", space), ParetoPruner)
    assert isinstance(create_pruner("none", space), optuna.pruners.NopPruner)
    with pytest.raises(UnknownNameError, match="did you mean `pareto`"):
        create_pruner("paretto", space)
    with pytest.raises(UnknownNameError, match="accuracy"):
        check_pruner("auto", ("acuracy",))
    with pytest.raises(ConfigError, match="needs one of"):
        check_pruner("none", ("params",))
    with pytest.raises(SpecError, match="epochs"):
        create_pruner("auto", space, epochs=0)


def test_rungs_and_lazy_names_need_neither_ray_nor_optuna():
    code = (
        "import sys; import search; from search.training.schedule import rungs; "
        "assert not {'ray', 'optuna'} & set(sys.modules);"
        "search.create_pruner; search.report; search.should_prune; assert 'ray' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_exported():
    assert search.create_pruner is create_pruner
    assert {"create_pruner", "report", "should_prune"} <= set(search.__all__)


@pytest.mark.parametrize(
    ("epochs", "expected"),
    [(1, (1,)), (2, (1, 2)), (8, (1, 2, 4, 8)), (12, (1, 2, 3, 6, 12)), (5, (1, 2, 3, 5))],
)
def test_rungs_halve_from_the_end(epochs, expected):
    assert rungs(epochs) == expected


def test_forecasts_keep_to_one_thread(monkeypatch):
    """The driver's cores belong to the trainings."""
    seen = []
    real = History.at

    def at(self, *args):
        seen.append({pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"})
        return real(self, *args)

    rule = taught(pareto())
    monkeypatch.setattr(History, "at", at)
    with threadpool_limits(2, user_api="blas"):
        rule.judge(Curve(99, {1: (0.5,)}, (150.0,)))
    assert seen
    assert all(threads == {1} for threads in seen)
