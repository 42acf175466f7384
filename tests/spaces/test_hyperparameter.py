"""Values and ranges: what may be had, what is proposed, where it lies."""

from __future__ import annotations

from typing import Any

import optuna
import pytest

from fusion_ops.errors import SpecError
from search.strategy.proposals.distributions import distribution, hyperparameter
from spaces import Range, Values
from spaces.hyperparameter import Hyperparameter, label

EVERY: list[Hyperparameter] = [
    Values("train.lr", [0.1, 0.02, 0.5]),
    Values("train.schedule", ["step", "one_cycle"]),
    Values("train.augment", [[], ["flip"], ["flip", "crop"]]),
    Values("x", [True, False, None]),
    Range("train.lr", 0.02, 0.5, log=True),
    Range("train.momentum", 0.0, 0.9),
    Range("train.momentum", 0.0, 0.9, step=0.1),
    Range("space.width", 8, 16),
    Range("space.width", 8, 64, step=8),
    Range("train.batch_size", 16, 512, log=True),
]


@pytest.mark.parametrize("one", EVERY, ids=repr)
def test_what_a_trial_chooses_is_a_value_with_a_level_near_it(one: Hyperparameter) -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(20):
        trial = study.ask()
        value = one.suggest(trial)
        assert one.contains(value)
        assert trial.distributions[one.name] == distribution(one)
        level = one.level(value)
        assert level is not None
        if one.whole:
            assert one.levels[level] == value
        else:
            assert abs(one.places[level] - one.place(value)) <= 0.5 / 32 + 0.01


@pytest.mark.parametrize("one", EVERY, ids=repr)
def test_every_level_may_be_proposed_to_optuna(one: Hyperparameter) -> None:
    for level in one.levels:
        trial = optuna.trial.FixedTrial({one.name: label(level)})
        assert one.suggest(trial) == level
    assert len(set(map(label, one.levels))) == len(one.levels) <= 33


@pytest.mark.parametrize("one", [one for one in EVERY if one.ordered], ids=repr)
def test_numbers_lie_in_order_from_0_to_1(one: Hyperparameter) -> None:
    assert one.places[0] == 0.0
    assert one.places[-1] == 1.0
    assert list(one.places) == sorted(set(one.places))


def test_a_list_that_spans_much_lies_by_its_logarithms_and_a_range_as_it_says() -> None:
    assert Values("x", [1, 10, 100]).places == pytest.approx([0.0, 0.5, 1.0])
    assert Values("x", [8, 12, 16]).places == pytest.approx([0.0, 0.5, 1.0])
    assert Range("x", 0.01, 1.0, log=True).place(0.1) == pytest.approx(0.5)
    assert Range("x", 0.0, 1.0).place(0.1) == pytest.approx(0.1)


def test_a_narrow_range_of_large_numbers_has_levels_and_a_long_one_ends_where_it_does() -> None:
    assert len(Range("x", 1000.0, 1001.0).levels) == 33
    long = Range("x", 0, 2**62)
    assert (long.levels[0], long.levels[-1], len(long.levels)) == (0, 2**62, 33)


def test_true_is_not_1_and_text_is_no_number() -> None:
    assert Values("x", [1, 2]).level(True) is None
    assert Values("x", [True, False]).level(1) is None
    assert Range("x", 1, 4).level("2") is None
    assert Range("x", 0.1, 0.4).level(float("nan")) is None


@pytest.mark.parametrize("one", [one for one in EVERY if "augment" not in one.name], ids=repr)
def test_a_distribution_gives_the_hyperparameter_back(one: Hyperparameter) -> None:
    found = hyperparameter(one.name, distribution(one))
    assert found is not None
    assert (type(found), found.levels, found.places) == (type(one), one.levels, one.places)


@pytest.mark.parametrize(
    "of", [optuna.distributions.FloatDistribution(1, 1), optuna.distributions.CategoricalDistribution(["a"])]
)
def test_what_is_no_choice_is_no_hyperparameter(of: optuna.distributions.BaseDistribution) -> None:
    assert hyperparameter("x", of) is None


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Values("x", []), "at least one value"),
        (lambda: Values("x", [1, 1.0]), "none twice"),
        (lambda: Values("x", [{"a": 1}]), "number, text"),
        (lambda: Range("x", 1, 1), "less than `high`"),
        (lambda: Range("x", "a", 1), "must be numbers"),
        (lambda: Range("x", 0, 1, log=True), "above 0"),
        (lambda: Range("x", 0.1, 1.0, log=True, step=0.1), "not both"),
        (lambda: Range("x", 0.0, 1.0, step=2.0), "at most 1"),
        (lambda: Range("x", 0.0, float("inf")), "must be numbers"),
    ],
)
def test_what_cannot_be_is_said(make: Any, said: str) -> None:
    with pytest.raises(SpecError, match=said):
        make()
