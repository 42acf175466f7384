from dataclasses import replace

import numpy as np
import pytest

from reports.fidelity import Endings, crossings, endings, fair_floor
from reports.run.run import load_run
from tests.reports.conftest import EPOCHS
from tests.reports.late_curves import BETTER, LATE, planted, trainings

RUNGS = (1, 2, 4)
OPS = ("aff", "concat", "iaff", "sk", "sum")


def drawn(*, count: int = 60, late: float = 0.0, noise: float = 0.004, seed: int = 0) -> Endings:
    """Trainings of networks with six points, each of which has one of five operators."""
    rng = np.random.default_rng(seed)
    chosen = rng.integers(len(OPS), size=(count, 6))
    shares = np.stack([(chosen == place).mean(axis=1) for place in range(len(OPS))], axis=1)
    curves = trainings(shares[:, OPS.index(LATE)], shares[:, OPS.index(BETTER)], rng, late=late, noise=noise)
    return Endings(curves, curves.max(axis=1), np.ones(count), OPS, shares, audited=0, stopped=0, weighed=False)


def warned(found) -> set[str]:
    biases = crossings(found, RUNGS)
    level = 0.05 / sum(map(len, biases.values()))
    return {bias.operator for said in biases.values() for bias in said if bias.late(level)}


def test_an_operator_that_learns_late_is_found_and_nothing_else_in_19_of_20_seeds():
    said = [warned(drawn(late=0.08, seed=seed)) for seed in range(20)]
    assert sum(names == {LATE} for names in said) >= 19


@pytest.mark.parametrize("noise", [0.004, 0.02])
def test_better_operators_and_noise_alone_are_no_lateness_in_19_of_20_seeds(noise):
    said = [warned(drawn(late=0.0, noise=noise, seed=seed)) for seed in range(20)]
    assert sum(names == set() for names in said) >= 19


def test_the_bias_is_what_was_planted():
    """By epoch e the plant is 0.08 · (3^(-(e - 1) / 2) - 3^(-7 / 2)) for the whole network, against the average one."""
    trained = drawn(late=0.08, noise=0.0005, count=200)
    average = trained.shares[:, trained.operators.index(LATE)].mean()
    for epoch, biases in crossings(trained, RUNGS).items():
        bias = next(bias for bias in biases if bias.operator == LATE)
        planted_ = 0.08 * (3.0 ** (-(epoch - 1) / 2) - 3.0**-3.5) * (1 - average)
        assert bias.low <= planted_ <= bias.high
        assert bias.bias == pytest.approx(planted_, rel=0.3)
        assert bias.final_rank > bias.early_rank


def test_the_fair_floor_is_the_first_epoch_from_which_on_it_shows_no_more():
    biases = crossings(drawn(late=0.08, count=120), RUNGS)
    late = {epoch for epoch, said in biases.items() if any(b.operator == LATE and b.late() for b in said)}
    assert {1, 2} <= late
    assert fair_floor(biases, LATE, EPOCHS) == (EPOCHS if 4 in late else 4)
    assert fair_floor(biases, "sum", EPOCHS) == 1
    calm = {epoch: tuple(replace(bias, behind=-1.0) for bias in said) for epoch, said in biases.items()}
    assert fair_floor({**biases, 4: calm[4]}, LATE, EPOCHS) == 4
    assert fair_floor({1: biases[1], 2: calm[2], 4: biases[1]}, LATE, EPOCHS) == EPOCHS


def test_little_evidence_says_nothing():
    assert crossings(drawn(count=19), RUNGS) == {}
    trained = drawn(count=60)
    together = trained.shares.copy()
    together[:, :2] = together[:, :2].mean(axis=1, keepdims=True)
    assert crossings(replace(trained, shares=together), RUNGS) == {}


def test_audits_stand_for_what_was_stopped(make_run, space):
    trained = endings(load_run(make_run(planted(space, stopped=0.5, audits=0.2, count=200, seed=3))), EPOCHS)
    assert trained.weighed
    assert trained.weights.sum() == pytest.approx(200)
    assert set(np.round(trained.weights, 9)) == {1.0, round((trained.audited + trained.stopped) / trained.audited, 9)}
    few = endings(load_run(make_run(planted(space, stopped=0.5), name="few")), EPOCHS)
    assert (few.weighed, few.audited, few.stopped) == (False, 0, 30)
    assert set(few.weights) == {1.0}
