"""The project's own sampler: its parts against values from their definitions, and that it beats random."""

from __future__ import annotations

import math

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState

import search
import spaces
from reports.fronts.volume import hypervolume
from search.strategy.observations import Observation
from search.strategy.proposals.design import STRATA
from search.strategy.proposals.encoding import Encoding
from search.strategy.surrogate.evidence import Yardstick
from search.strategy.surrogate.features import Features
from search.strategy.surrogate.gain import expected_gain, expected_improvement
from search.strategy.surrogate.surrogate import Surrogate
from search.strategy.trials import learning_curve

optuna.logging.set_verbosity(optuna.logging.WARNING)


@pytest.fixture(scope="module")
def space():
    return spaces.create("resnet", depth=20, width=8, num_classes=10, in_channels=1, input_size=(16, 16))


@pytest.fixture(scope="module")
def encoding(space):
    return Encoding(space)


def test_codes_and_architectures_are_the_same(space, encoding) -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        architecture = space.sample(rng)
        code = encoding.encode(architecture)
        assert encoding.params(code) == space.params(architecture)
        assert encoding.cost("params", code[None])[0] == space.cost(architecture).params
        assert encoding.cost("flops", code[None])[0] == space.cost(architecture).flops


def test_range_of_costs_is_that_of_the_space() -> None:
    small = spaces.create("resnet", depth=8, width=4, in_channels=1, input_size=(8, 8), reductions=(2, 4))
    costs = [small.cost(one).params for one in small.enumerate()]
    assert Encoding(small).range("params") == (min(costs), max(costs))


def test_draws_are_uniform_over_operators(encoding) -> None:
    drawn = encoding.draw(np.random.default_rng(0), 4_000)
    ops = encoding.ops[0, drawn[:, 0]]
    assert np.bincount(ops) / 4_000 == pytest.approx(0.2, abs=0.03)


@pytest.mark.parametrize("others", [0, 1, 2])
def test_expected_gain_is_the_mean_gain_of_draws(others) -> None:
    rng = np.random.default_rng(others)
    front = rng.random((6, 1 + others))
    reference = np.full(1 + others, 1.1)
    mean, deviation, beside = np.array([0.3, 0.8]), np.array([0.2, 0.05]), rng.random((2, others)) * 0.6
    expected = expected_gain(mean, deviation, beside, front, reference)
    before = hypervolume(front, reference)
    for index in range(2):
        errors = mean[index] + deviation[index] * rng.standard_normal(1_000)
        gains = [
            hypervolume(np.vstack([front, np.append(error, beside[index])]), reference) - before for error in errors
        ]
        assert expected[index] == pytest.approx(np.mean(gains), abs=4 * np.std(gains) / math.sqrt(1_000) + 1e-6)


def test_expected_improvement_by_its_formula() -> None:
    def exact(mean, deviation, level):
        z = (level - mean) / deviation
        below = 0.5 * (1 + math.erf(z / math.sqrt(2)))
        return deviation * (z * below + math.exp(-z * z / 2) / math.sqrt(2 * math.pi))

    means = np.linspace(-3, 3, 25)
    found = expected_improvement(means, np.full(25, 0.7), np.zeros(25))
    assert found == pytest.approx([exact(mean, 0.7, 0.0) for mean in means], abs=1e-12)


def test_surrogate_predicts_what_it_has_not_seen(encoding) -> None:
    rng = np.random.default_rng(5)
    codes = encoding.draw(rng, 400)
    table = rng.normal(size=(encoding.slots, len(encoding.space.ops)))
    values = table[np.arange(encoding.slots), encoding.ops[np.arange(encoding.slots), codes]].sum(axis=1)
    noisy = values + rng.normal(0.0, 0.1 * values.std(), size=400)
    surrogate = Surrogate(Features(encoding), codes[:150], noisy[:150], np.zeros(150), rng)
    posterior = surrogate.posterior(codes[150:])
    assert np.corrcoef(posterior.expected, values[150:])[0, 1] > 0.97
    deviation = posterior.weights @ posterior.deviation
    inside = np.abs(posterior.expected - values[150:]) < 2 * deviation
    assert 0.8 < inside.mean() <= 1.0


def test_extending_a_surrogate_is_fitting_its_kernels_to_all(encoding) -> None:
    rng = np.random.default_rng(6)
    codes, values = encoding.draw(rng, 60), rng.normal(size=60)
    surrogate = Surrogate(Features(encoding), codes[:50], values[:50], np.zeros(50), rng)
    before = surrogate.posterior(codes[:5]).expected
    longer = surrogate.extended(codes[50:], values[50:], np.full(10, 2.0))
    inputs = Features(encoding)(codes)
    grams = [block @ block.T for block in inputs.linear.values()]
    distance = np.maximum(1 - inputs.whole @ inputs.whole.T / encoding.slots, 0).astype(np.float32)
    doubt = np.concatenate([np.zeros(50), np.full(10, 2.0) / values[:50].var()])
    for kernel, inverse in zip(longer.kernels, longer._inverse, strict=True):
        direct = np.linalg.inv(kernel((grams, distance)) + np.diag(kernel.noise + doubt))
        assert inverse == pytest.approx(direct, rel=1e-3, abs=1e-3 * np.abs(direct).max())
    assert surrogate.posterior(codes[:5]).expected == pytest.approx(before)


def observation(number, code, state, value=None, curve=()):
    values = None if value is None else np.array([-value])
    return Observation(number, code, state, values, {e: {"accuracy": v} for e, v in enumerate(curve, start=1)})


def test_stopped_candidates_count_with_what_their_start_predicts(encoding) -> None:
    codes = encoding.draw(np.random.default_rng(7), 12)
    ended = [
        observation(i, codes[i], TrialState.COMPLETE, 0.5 + 0.04 * i, (0.25 + 0.02 * i, 0.5 + 0.04 * i))
        for i in range(10)
    ]
    stopped = observation(10, codes[10], TrialState.PRUNED, None, (0.25 + 0.02 * 4.5,))
    silent = observation(11, codes[11], TrialState.PRUNED)
    evidence = Yardstick(ended, 0, "accuracy", -1.0, float)([*ended, stopped, silent])
    assert len(evidence) == 11
    assert evidence.values[10] == pytest.approx(-(0.5 + 0.04 * 4.5), abs=1e-3)
    assert not evidence.complete[10]
    assert 0 < evidence.doubt[10] < 1e-3
    assert not evidence.doubt[:10].any()


def test_what_a_start_adds_is_told_apart_from_what_is_known_of_all(encoding) -> None:
    """Values of the start with the same noise as the end's spread: a good start promises half of what it shows."""
    rng = np.random.default_rng(9)
    codes = encoding.draw(rng, 401)
    end = rng.normal(0.7, 0.02, 400)
    starts = end + rng.normal(0.0, 0.02, 400)
    ended = [observation(i, codes[i], TrialState.COMPLETE, end[i], (starts[i], end[i])) for i in range(400)]
    stopped = observation(400, codes[400], TrialState.PRUNED, None, (0.74,))
    evidence = Yardstick(ended, 0, "accuracy", -1.0, float)([*ended, stopped])
    # Bayes: the start observes the end with variance 0.02², wherever the others are.
    assert evidence.values[400] == pytest.approx(-0.74, abs=0.008)
    assert evidence.doubt[400] == pytest.approx(0.02**2, rel=0.3)
    unrelated = rng.normal(0.3, 0.02, 400)
    ended = [observation(i, codes[i], TrialState.COMPLETE, end[i], (unrelated[i], end[i])) for i in range(400)]
    assert len(Yardstick(ended, 0, "accuracy", -1.0, float)([*ended, stopped])) == 400


def test_failed_candidates_count_as_poor_and_diverged_ones_are_drawn_in(encoding) -> None:
    codes = encoding.draw(np.random.default_rng(8), 9)
    ended = [observation(i, codes[i], TrialState.COMPLETE, 0.9 - 0.01 * i) for i in range(7)]
    ended += [observation(7, codes[7], TrialState.COMPLETE, -50.0), observation(8, codes[8], TrialState.FAIL)]
    evidence = Yardstick(ended, 0, "accuracy", -1.0, float)(ended)
    assert evidence.values.max() < -0.7
    assert evidence.values[8] == evidence.values[7] == evidence.values.max()
    assert evidence.doubt[8] > evidence.doubt[7] == 0


def test_curves_are_read_wherever_they_are_kept() -> None:
    def trial(**more):
        return optuna.trial.create_trial(state=TrialState.PRUNED, **more)

    assert learning_curve(trial()) == {}
    kept = trial(user_attrs={"candidate": {"curve": [{"accuracy": 0.5}, {"accuracy": 0.6}]}})
    assert learning_curve(kept) == {1: {"accuracy": 0.5}, 2: {"accuracy": 0.6}}
    reported = trial(user_attrs={"curve:3": {"accuracy": 0.7}, "kind": "search"})
    assert learning_curve(reported) == {3: {"accuracy": 0.7}}
    assert learning_curve(trial(intermediate_values={1: 0.4})) == {1: {"": 0.4}}


def test_starts_with_the_uniform_baselines(space) -> None:
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=search.create_sampler("auto", space))
    first = [space.suggest(study.ask()) for _ in space.ops]
    assert set(first) == set(space.baselines())


def test_goes_on_with_architectures_from_cheap_to_dear(space) -> None:
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=search.create_sampler("auto", space))
    proposed = [space.suggest(study.ask()) for _ in range(len(space.ops) + len(STRATA))]
    params = [space.cost(one).params for one in proposed[len(space.ops) :]]
    assert np.corrcoef(np.argsort(np.argsort(params)), np.argsort(np.argsort(STRATA)))[0, 1] > 0.8
    assert len(set(proposed)) == len(proposed)


def searched(space, encoding, name, seed, count):
    study = optuna.create_study(
        directions=["maximize", "minimize"], sampler=search.create_sampler(name, space, seed=seed)
    )
    truth = np.random.default_rng(11)
    table = truth.normal(size=(encoding.slots, len(space.ops))) + np.array([0.0, 0.5, 1.0, 1.5, 2.0])
    noise = np.random.default_rng(seed)
    points = []
    for _ in range(count):
        trial = study.ask()
        code = encoding.encode(space.suggest(trial))
        error = -table[np.arange(encoding.slots), encoding.ops[np.arange(encoding.slots), code]].sum()
        params = float(encoding.cost("params", code[None])[0])
        points.append([error / 40.0 + 1.0, (math.log(params) - 11.0) / 0.5])
        study.tell(trial, [0.5 - (error + noise.normal(0.0, 0.2)) / 40.0, params])
    return hypervolume(np.array(points), np.array([1.1, 1.1]))


def test_auto_beats_random_by_far(space, encoding) -> None:
    auto = [searched(space, encoding, "auto", seed, 40) for seed in range(3)]
    random = [searched(space, encoding, "random", seed, 120) for seed in range(3)]
    assert min(auto) > max(random)
