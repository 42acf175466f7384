"""What the sampler's model predicts of its proposals is kept, in the measure's unit, and about as sure as it says."""

from __future__ import annotations

import math

import numpy as np
import optuna
import pytest

import search
import spaces
from search.strategy.proposals.encoding import Encoding
from search.strategy.surrogate.features import Features
from search.strategy.surrogate.surrogate import Surrogate
from search.strategy.trials import PREDICTED

optuna.logging.set_verbosity(optuna.logging.WARNING)


@pytest.fixture(scope="module")
def space():
    return spaces.create("resnet", depth=14, width=8, num_classes=10, in_channels=1, input_size=(8, 8))


def searched(space, objective: str, value) -> list[optuna.trial.FrozenTrial]:
    """Return the trials of a study whose quality is additive over the points, with noise."""
    encoding, noise = Encoding(space), np.random.default_rng(7)
    merit = np.random.default_rng(3).normal(0.0, 1.0, size=(encoding.slots, 5))
    direction = "maximize" if objective == "accuracy" else "minimize"
    study = optuna.create_study(
        directions=[direction, "minimize"],
        sampler=search.create_sampler("auto", space, objectives=(objective, "params"), seed=0),
    )
    for _ in range(45):
        trial = study.ask()
        architecture = space.suggest(trial)
        code = encoding.encode(architecture)
        gain = merit[np.arange(encoding.slots), encoding.ops[np.arange(encoding.slots), code]].sum()
        study.tell(trial, [value(gain + noise.normal(0.0, 0.5)), space.cost(architecture).params])
    return study.trials


@pytest.mark.parametrize(
    ("objective", "value"),
    [("accuracy", lambda gain: 0.8 + gain / 100), ("loss", lambda gain: math.exp(-gain / 10))],
)
def test_a_proposal_carries_what_is_expected_of_it(space, objective, value) -> None:
    trials = searched(space, objective, value)
    foretold = [(*trial.user_attrs[PREDICTED], trial.values[0]) for trial in trials if PREDICTED in trial.user_attrs]
    assert PREDICTED not in trials[0].user_attrs, "the design is no proposal of the model"
    assert len(foretold) >= 15
    mean, deviation, measured = np.array(foretold).T
    assert np.corrcoef(mean, measured)[0, 1] > 0.3
    inside = np.abs(mean - measured) <= 1.2816 * deviation
    assert 0.5 <= inside.mean() <= 1.0
    assert np.median(np.abs(mean - measured)) < 2.0 * np.median(deviation)


def test_foretold_is_the_mixture_of_the_members_with_noise(space) -> None:
    encoding, rng = Encoding(space), np.random.default_rng(0)
    codes = encoding.draw(rng, 30)
    values = rng.normal(size=30)
    surrogate = Surrogate(Features(encoding), codes, values, np.zeros(30), rng)
    mean, deviation = surrogate.foretold(codes[:1])
    seen = surrogate.posterior(codes[:1])
    draws = np.concatenate(
        [
            rng.normal(m, math.hypot(d, values.std() * math.sqrt(kernel.noise)), size=round(200_000 * w))
            for m, d, w, kernel in zip(
                seen.mean[:, 0], seen.deviation[:, 0], seen.weights, surrogate.kernels, strict=True
            )
        ]
    )
    assert mean == pytest.approx(draws.mean(), abs=0.02)
    assert deviation == pytest.approx(draws.std(), rel=0.02)
