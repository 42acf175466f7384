"""Whether the best operator changes with a hyperparameter, beside planted truths."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest

from reports.marginal.recipe_model import Factor, basis, fit_recipes
from reports.marginal.recipes import Recipes, recipes_of

OPERATORS = ("aff", "concat", "iaff", "sk", "sum")
RATES = np.linspace(0, 1, 33)
SEEDS = range(20)
COUNT = 60
NOISE = 0.006
# By what they differ, and where each has its best learning rate.
MERITS = {
    "changes": (0.012, 0.0, 0.0, 0.0, 0.012),
    "common": (0.012, 0.0, 0.008, 0.002, 0.004),
    "one": (0.0, 0.0, 0.04, 0.0, 0.0),
}
PEAKS = {"changes": (0.75, 0.3, 0.8, 0.4, 0.25), "common": (0.6,) * 5, "one": (0.6,) * 5}


def truth(kind: str) -> np.ndarray:
    """Quality of each operator at each learning rate, `(operators, levels)`."""
    merits, peaks = np.array(MERITS[kind])[:, None], np.array(PEAKS[kind])[:, None]
    return 0.9 + merits - 0.24 * (RATES - peaks) ** 2


def planted(kind: str, seed: int) -> tuple[np.ndarray, list[Factor], np.ndarray]:
    """Three uniform networks of each operator, then random ones; a weight decay that is the same to all."""
    rng = np.random.default_rng(seed)
    shares = np.zeros((COUNT, 5))
    for number, row in enumerate(shares):
        chosen = np.full(6, number % 5) if number < 15 else rng.integers(5, size=6)
        row += np.bincount(chosen, minlength=5) / 6
    rate, decay = rng.integers(33, size=COUNT), rng.integers(3, size=COUNT)
    gain = np.sum(shares.T * truth(kind)[:, rate], axis=0) - 0.004 * (decay == 2) + rng.normal(0, NOISE, COUNT)
    factors = [
        Factor("train.lr", tuple(RATES), RATES, ordered=True, at=RATES[rate]),
        Factor("train.weight_decay", (1, 2, 3), np.array([0.0, 0.5, 1.0]), ordered=True, at=decay / 2),
    ]
    return shares, factors, gain


@pytest.fixture(scope="module")
def found() -> Callable[[str], list[Recipes]]:
    return cache(lambda kind: [recipes_of(OPERATORS, *planted(kind, seed)) for seed in SEEDS])


def test_an_interaction_is_called_a_change(found: Callable[[str], list[Recipes]]) -> None:
    rates = [one.along[0] for one in found("changes")]
    assert sum(along.outcome == "changes" for along in rates) >= 19
    for along in rates:
        if along.change is not None:
            low, high = along.change.operators
            assert low in ("sum", "concat", "sk")
            assert high in ("aff", "iaff")
            assert along.change.spans[0][1] < along.change.spans[1][0]


@pytest.mark.parametrize("kind", ["changes", "common", "one"])
def test_what_all_operators_share_is_never_called_a_change(kind: str, found: Callable[[str], list[Recipes]]) -> None:
    shared = [along for one in found(kind) for along in one.along[kind == "changes" :]]
    assert sum(along.outcome == "changes" for along in shared) <= len(shared) / 20


def test_one_operator_that_is_best_throughout_is_named(found: Callable[[str], list[Recipes]]) -> None:
    rates = [one.along[0] for one in found("one")]
    assert sum(along.outcome == "one" and along.throughout == "iaff" for along in rates) >= 18
    assert {along.throughout for along in rates} <= {"iaff", ""}


@pytest.mark.parametrize("kind", ["changes", "common", "one"])
def test_bands_hold_the_truth(kind: str, found: Callable[[str], list[Recipes]]) -> None:
    # The mean effect of the weight decay is part of the lines.
    real = truth(kind) - 0.004 / 3
    inside = [(along.low <= real) & (real <= along.high) for one in found(kind) for along in one.along[:1]]
    assert np.mean(inside) >= 0.85


def test_each_operator_has_its_own_best_learning_rate(found: Callable[[str], list[Recipes]]) -> None:
    best = np.abs(RATES - np.array(PEAKS["changes"])[:, None]).argmin(axis=1)
    held = [
        level in range(recipe.likely[0][0], recipe.likely[0][-1] + 1)
        for one in found("changes")
        for recipe in one.best
        for level in [best[OPERATORS.index(recipe.operator)]]
    ]
    assert np.mean(held) >= 0.9
    real = truth("changes").max(axis=1)
    for one in found("changes"):
        assert [recipe.mean for recipe in one.best] == sorted((recipe.mean for recipe in one.best), reverse=True)
    gaps = [r.mean - real[OPERATORS.index(r.operator)] for one in found("changes") for r in one.best]
    assert abs(np.mean(gaps)) < NOISE


def test_the_same_candidates_say_the_same(found: Callable[[str], list[Recipes]]) -> None:
    again = recipes_of(OPERATORS, *planted("common", 0))
    assert np.array_equal(again.along[0].best, found("common")[0].along[0].best)


def test_categories_may_change_the_best_operator() -> None:
    shares, _, _ = planted("one", 1)
    rng = np.random.default_rng(1)
    kind = rng.integers(3, size=COUNT)
    gain = 0.9 + 0.05 * shares[:, 0] * (kind == 2) + 0.05 * shares[:, 1] * (kind == 0) + rng.normal(0, NOISE, COUNT)
    factor = Factor("train.augment", ("none", "flip", "mixup"), np.arange(3.0), ordered=False, at=kind.astype(float))
    (along,) = recipes_of(OPERATORS, shares, [factor], gain).along
    assert along.change is not None
    assert along.change.operators == ("concat", "aff")
    assert along.change.spans == ((0, 0), (2, 2))
    best = {one.operator: one.likely[0] for one in recipes_of(OPERATORS, shares, [factor], gain).best}
    assert best["aff"] == (2,)
    assert best["concat"] == (0,)


def test_the_covariance_is_that_of_a_centred_process() -> None:
    factor = Factor("train.lr", tuple(RATES), RATES, ordered=True, at=RATES)
    kernel = np.exp(-0.5 * np.subtract.outer(RATES, RATES) ** 2 / 0.3**2)
    centring = np.eye(33) - 1 / 33
    wanted = centring @ kernel @ centring
    functions = basis(factor, RATES, 0.3)
    assert functions @ functions.T == pytest.approx(wanted / np.trace(wanted) * 33, abs=0.03)
    few = Factor("train.augment", ("a", "b"), np.arange(2.0), ordered=False, at=np.array([1.0, 0.0]))
    assert basis(few, few.at, 0.3) @ basis(few, few.at, 0.3).T == pytest.approx(np.array([[1, -1], [-1, 1]]))


def test_a_lone_effect_is_that_of_least_squares() -> None:
    shares, factors, gain = planted("one", 3)
    model = fit_recipes(shares, factors, gain / NOISE)
    drawn = np.array([model.along(one, 0).mean() for one in range(5)])
    columns = np.c_[shares, basis(factors[0], factors[0].at, 0.3), basis(factors[1], factors[1].at, 0.3)]
    free = np.linalg.lstsq(columns, gain / NOISE, rcond=None)[0][:5]
    assert drawn - drawn.mean() == pytest.approx(free - free.mean(), abs=1.5)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda s, f, g: (s[:19], [_cut(one, 19) for one in f], g[:19]), "It takes 20 complete candidates with a "),
        (lambda s, f, g: (s, f, np.full(COUNT, 0.5)), "All complete candidates have the same quality."),
        (lambda s, f, g: (s, f, g * 1e150), "Qualities of more than 1e+100 are too far apart"),
        (lambda s, f, g: (s, [_one_level(one) for one in f], g), "All complete candidates have the same hyperparam"),
    ],
)
def test_too_little_is_said_to_be_too_little(change: Callable[..., tuple], problem: str) -> None:
    said = recipes_of(OPERATORS, *change(*planted("one", 0)))
    assert said.problem.startswith(problem)
    assert (said.along, said.best) == ((), ())


def test_one_operator_alone_has_no_rival() -> None:
    _, factors, gain = planted("one", 0)
    assert recipes_of(["sum"], np.ones((COUNT, 1)), factors, gain).problem.startswith("All complete candidates have th")


def _cut(factor: Factor, count: int) -> Factor:
    return Factor(factor.name, factor.levels, factor.places, factor.ordered, factor.at[:count])


def _one_level(factor: Factor) -> Factor:
    return Factor(factor.name, factor.levels[:1], factor.places[:1], factor.ordered, np.zeros(len(factor.at)))
