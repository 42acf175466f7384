"""Trainings that are known, gone through once more: what a pruner makes of them, counted by hand."""

from __future__ import annotations

from itertools import islice

import pytest

import spaces
from fusion_ops.errors import SpecError
from search.strategy.pruners import create_pruner
from search.study.replay import Replayed, Training, replayed

ONE = ("accuracy",)


@pytest.fixture(scope="module")
def small():
    return spaces.create(
        "resnet", depth=8, width=4, in_channels=1, input_size=(8, 8), ops=("sum", "concat", "aff"), reductions=(2, 4)
    )


@pytest.fixture
def trainings(small):
    """Return a maker of trainings of different architectures, from their accuracies by epoch."""

    def make(*curves, **settings):
        chosen = islice(small.enumerate(), len(curves))
        return [
            Training(one, tuple({"accuracy": value} for value in curve), "complete", **settings)
            for one, curve in zip(chosen, curves, strict=True)
        ]

    return make


def gone(small, known, pruner, objectives=ONE, epochs=4, **settings):
    made = create_pruner(pruner, small, objectives, epochs, 0)
    settings = {"objectives": objectives, "constraints": {}, "epochs": epochs} | settings
    return [(one.fate, one.epochs) for one in replayed(known, small, made, **settings)]


def test_successive_halving_keeps_what_is_best_so_far_and_stops_all_else(small, trainings):
    """Of up to three at a rung the best alone goes on: 0.5, then neither 0.4 nor 0.3, then 0.6."""
    known = trainings([0.5, 0.6, 0.7, 0.8], [0.4, 0.6, 0.8, 0.9], [0.3] * 4, [0.6, 0.6, 0.6, 0.6])
    assert gone(small, known, "asha") == [("complete", 4), ("stopped", 1), ("stopped", 1), ("complete", 4)]


def test_without_a_pruner_all_run_to_what_is_known(small, trainings):
    whole, cut, broken, first = trainings([0.5] * 4, [0.4], [0.3, 0.4, 0.5], [0.2] * 4)
    known = [
        whole,
        Training(cut.architecture, cut.curve, "unknown"),
        Training(broken.architecture, broken.curve, "failed"),
        first,
    ]
    assert gone(small, known, "none") == [("complete", 4), ("past", 1), ("failed", 3), ("complete", 4)]


def test_what_was_stopped_may_be_stopped_as_early_again_or_go_on_past_what_is_known(small, trainings):
    best, worse, early = trainings([0.5] * 4, [0.4], [0.6, 0.7])
    known = [
        best,
        Training(worse.architecture, worse.curve, "unknown"),
        Training(early.architecture, early.curve, "unknown"),
    ]
    assert gone(small, known, "asha") == [("complete", 4), ("stopped", 1), ("past", 2)]


def test_baselines_are_never_stopped(small, trainings):
    best, worse = trainings([0.5] * 4, [0.4] * 4)
    baseline = Training(worse.architecture, worse.curve, "complete", kind="baseline")
    assert gone(small, [best, baseline], "asha") == [("complete", 4), ("complete", 4)]


def test_with_several_workers_a_fast_one_is_ahead(small, trainings):
    """Alone, 0.6 comes second and goes on. Beside it 0.7 trains ten times as fast, and is there first."""
    slow, other, fast = trainings([0.5] * 4, [0.6] * 4, [0.7] * 4)
    quick = Training(fast.architecture, fast.curve, "complete", seconds=0.1)
    assert gone(small, [slow, other, quick], "asha") == [("complete", 4)] * 3
    assert gone(small, [slow, other, quick], "asha", workers=3) == [
        ("stopped", 1),
        ("stopped", 1),
        ("complete", 4),
    ]


def test_several_objectives_ask_the_rule_of_pareto(small, trainings):
    """After eight completed ones whose curves never cross, what is far below all of them at no less cost is stopped."""
    costly = sorted(small.enumerate(), key=lambda one: small.cost(one).params)
    curves = [[0.5 + 0.02 * rank, 0.6 + 0.02 * rank, 0.7 + 0.02 * rank, 0.8 + 0.02 * rank] for rank in range(8)]
    good = [
        Training(one, tuple({"accuracy": value} for value in curve), "complete", kind="baseline")
        for one, curve in zip(costly, curves, strict=False)
    ]
    poor = Training(costly[-1], tuple({"accuracy": value} for value in (0.1, 0.2, 0.3, 0.4)), "complete")
    rich = Training(costly[-2], tuple({"accuracy": value} for value in (0.8, 0.9, 0.95, 0.99)), "complete")
    found = gone(small, [*good, poor, rich], "auto", ("accuracy", "params"))
    assert found[-2:] == [("stopped", 1), ("complete", 4)]


def test_an_architecture_is_there_once(small, trainings):
    (one,) = trainings([0.5] * 4)
    with pytest.raises(SpecError, match="each architecture is replayed once"):
        gone(small, [one, one], "none")


def test_a_bound_on_a_cost_that_is_known_before_is_no_matter(small, trainings):
    assert gone(small, trainings([0.5] * 4), "none", constraints={"params": 1}) == [("complete", 4)]
    assert Replayed("complete", 4).epochs == 4


def test_nothing_is_stopped_before_the_least_epochs(small, trainings):
    """From epoch 2 on successive halving knows the values of epoch 2: 0.8 beside 0.6, so that the later one goes on."""
    known = trainings([0.5, 0.6, 0.7, 0.8], [0.4, 0.8, 0.9, 0.95])
    assert gone(small, known, "asha") == [("complete", 4), ("stopped", 1)]
    assert gone(small, known, "asha", min_epochs=2) == [("complete", 4), ("complete", 4)]
