"""Where recipes are searched, many trainings diverge, uniform networks tell little, and priors mislead."""

from __future__ import annotations

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState

import search
import spaces
from search.strategy.observations import Observation
from search.strategy.proposals.encoding import Encoding
from search.strategy.surrogate.additive import Additive
from search.strategy.surrogate.evidence import Yardstick
from search.strategy.surrogate.features import Features
from search.strategy.surrogate.surrogate import Surrogate
from search.strategy.surrogate.transfer import Experience, Prior
from search.strategy.trials import PREDICTED
from spaces import Configuration, JointSpace, Range

SPACE = JointSpace(
    spaces.create("resnet", depth=14, width=8, ops=["sum", "concat", "aff", "iaff"], reductions=[4]),
    [Range("train.lr", 0.001, 1.0, log=True)],
)
ENCODING = Encoding(SPACE)
OBJECTIVES = ("accuracy", "params")


def told(study: optuna.Study, count: int) -> None:
    """Ask and tell so many candidates, of which those with a great learning rate diverge."""
    for _ in range(count):
        trial = study.ask()
        configuration = SPACE.suggest(trial)
        study.tell(trial, [accuracy(configuration), SPACE.cost(configuration.architecture).params])


def accuracy(configuration: Configuration) -> float:
    share = np.mean([choice.op == "aff" for _, choice in configuration.architecture.choices])
    diverged = configuration["train.lr"] > 0.3
    return 0.1 if diverged else float(0.8 + 0.1 * share - 0.02 * np.log10(configuration["train.lr"] / 0.05) ** 2)


def started(**more) -> optuna.Study:
    sampler = search.create_sampler("auto", SPACE, OBJECTIVES, seed=3, **more)
    return optuna.create_study(directions=["maximize", "minimize"], sampler=sampler)


def ended(losses: list[float]) -> list[Observation]:
    codes = ENCODING.draw(np.random.default_rng(5), len(losses))
    values = [np.array([loss, 1.0]) for loss in losses]
    return [
        Observation(i, code, TrialState.COMPLETE, value, {})
        for i, (code, value) in enumerate(zip(codes, values, strict=True))
    ]


def test_diverged_trainings_are_drawn_in_and_keep_their_order() -> None:
    losses = [0.10, 0.11, 0.12, 0.13, 0.14, 0.3, 0.9, 50.0]
    yardstick = Yardstick(ended(losses), 0, "accuracy", 1.0, float, diverging=True)
    seen = yardstick(ended(losses)).values
    assert seen[:5].tolist() == losses[:5]  # up to 0.10 + 2 · 0.035
    assert (np.diff(seen) > 0).all()
    assert seen[6] < 0.3
    assert seen[7] < 0.5
    for loss, drawn in zip(losses, seen, strict=True):
        mean, deviation = yardstick.drawn_out(float(drawn), 0.001)
        assert mean == pytest.approx(loss)
        step = yardstick.drawn_out(float(drawn) + 1e-7, 0.0)[0] - mean
        assert deviation / 0.001 == pytest.approx(step / 1e-7, rel=1e-3)


def test_forecasts_of_diverged_trainings_are_accuracies_again() -> None:
    study = started(constraints={"accuracy": 0.2})
    told(study, 8)
    study.enqueue_trial({"train.lr": 1.0})
    told(study, 12)
    told_of = [trial for trial in study.trials if PREDICTED in trial.user_attrs]
    seen = [(trial.user_attrs[PREDICTED][0], trial.values[0]) for trial in told_of]
    assert len(seen) >= 8
    errors = [abs(expected - shown) for expected, shown in seen]
    assert np.median(errors) < 0.05
    assert all(-0.5 < expected < 1.0 for expected, _ in seen)
    belief = study.sampler._beliefs[0]
    assert -0.8 < belief.limit({"accuracy": 0.1}) < -0.1  # as the diverged ones themselves
    assert belief.limit({"accuracy": 0.95}) == -0.95
    assert belief.limit({}) == np.inf


def test_uniform_networks_leave_open_what_an_operator_does_at_one_slot() -> None:
    uniform = np.array([ENCODING.encode(one) for one in SPACE.baselines(draws=1)])
    one_slot = uniform[3].copy()
    one_slot[0] = uniform[2][0]
    values = np.array([0.3, 0.2, 0.25, 0.15])
    variances = []
    for seed in range(10):
        surrogate = Surrogate(Features(ENCODING), uniform, values, np.zeros(4), np.random.default_rng(seed))
        _, covariance, _, weights = surrogate.joint(np.stack([uniform[3], one_slot]))
        both = np.einsum("k,kij->ij", weights, covariance)
        variances.append(both[0, 0] + both[1, 1] - 2 * both[0, 1])
    assert np.sqrt(np.mean(variances)) > 0.5 * values.std()


def test_what_another_run_found_best_is_tried_after_seven_proposals_beside_the_uniform_networks() -> None:
    other = upside_down()
    best = ENCODING.params(Prior(ENCODING, other).best[0])
    study = started()
    told(study, 4)
    for code in ENCODING.draw(np.random.default_rng(8), 3):  # what was queued counts for nothing
        study.enqueue_trial(ENCODING.params(code))
    told(study, 3)
    for _ in range(7):
        assert next_with(study, prior=other) == next_with(study)
        told(study, 1)
    assert next_with(study, prior=other) == best != next_with(study)


def test_what_the_run_itself_has_learnt_counts_from_the_first_proposal_on() -> None:
    effects = [{choice: 0.1 * (choice.op == "aff") for choice in row} for row in ENCODING.choices]
    study = started()
    told(study, 8)
    assert next_with(study, prior=Additive(effects, [])) != next_with(study)


def test_another_run_whose_best_are_dominated_here_is_given_up_after_two() -> None:
    other = upside_down()
    best = [ENCODING.params(code) for code in Prior(ENCODING, other).best]
    study = started(prior=other)
    told(study, 30)
    assert len(best) == 4
    assert sum(trial.params in best for trial in study.trials) == 2


def upside_down() -> Experience:
    """Another run, in which what is worst here was best."""
    rng = np.random.default_rng(7)
    drawn = [SPACE.sample(rng) for _ in range(40)]
    costs = [SPACE.cost(one.architecture).params for one in drawn]
    return Experience(drawn, [accuracy(one) for one in drawn], costs)


def next_with(study: optuna.Study, **more) -> dict[str, object]:
    """Return the parameters that a sampler proposes after the candidates of a study."""
    again = started(**more)
    again.add_trials(study.trials)
    SPACE.suggest(trial := again.ask())
    return trial.params
