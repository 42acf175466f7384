"""`suggest` under Optuna's samplers, and `params` as its inverse."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import optuna
import pytest
from optuna.samplers import BaseSampler, NSGAIISampler, RandomSampler, TPESampler

import spaces
from spaces import Architecture, SearchSpace

TRIALS = 40
SAMPLERS: dict[str, Callable[[], BaseSampler]] = {
    "random": lambda: RandomSampler(seed=0),
    "tpe": lambda: TPESampler(seed=0, multivariate=True, group=True, n_startup_trials=8),
    "nsga2": lambda: NSGAIISampler(seed=0, population_size=8),
}
SPACES = {
    "plain": {},
    "stage": {"tie": "stage"},
    "all": {"tie": "all"},
    "one operator": {"ops": ("aff",)},
    "one ratio": {"reductions": (2,)},
    "no ratio": {"ops": ("sum", "concat")},
    "one choice": {"ops": ("sum",)},
}


@pytest.fixture(autouse=True)
def quiet() -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)


def created(name: str) -> SearchSpace:
    return spaces.create("resnet", **{"depth": 14, "width": 4, "input_size": (8, 8)} | SPACES[name])


def study(sampler: BaseSampler) -> optuna.Study:
    return optuna.create_study(directions=["minimize", "minimize"], sampler=sampler)


def proposed(space: SearchSpace, sampler: BaseSampler) -> list[tuple[optuna.Trial, Architecture]]:
    """Ask and tell: fewer parameters, more attention."""
    optimized, out = study(sampler), []
    for _ in range(TRIALS):
        trial = optimized.ask()
        architecture = space.suggest(trial)
        attention = sum(choice.op in ("aff", "iaff") for _, choice in architecture.choices)
        optimized.tell(trial, [space.cost(architecture).params, -attention])
        out.append((trial, architecture))
    return out


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.parametrize("kind", SAMPLERS)
@pytest.mark.parametrize("name", SPACES)
def test_every_proposal_is_in_the_space_and_params_is_its_inverse(name: str, kind: str) -> None:
    space = created(name)
    for trial, architecture in proposed(space, SAMPLERS[kind]()):
        assert space.neighbors(architecture) or space.size() == 1
        assert Architecture.from_json(architecture.to_json()) == architecture
        assert space.params(architecture) == trial.params


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.parametrize("kind", SAMPLERS)
@pytest.mark.parametrize("name", SPACES)
def test_what_is_enqueued_is_proposed(name: str, kind: str) -> None:
    space, again = created(name), study(SAMPLERS[kind]())
    rng = np.random.default_rng(0)
    wanted = [space.sample(rng) for _ in range(12)]
    for architecture in wanted:
        again.enqueue_trial(space.params(architecture))
    for architecture in wanted:
        trial = again.ask()
        assert space.suggest(trial) == architecture
        again.tell(trial, [0.0, 0.0])


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.parametrize("kind", SAMPLERS)
def test_samplers_propose_many_things(kind: str) -> None:
    space = created("plain")
    found = proposed(space, SAMPLERS[kind]())
    assert len({architecture.id for _, architecture in found}) > TRIALS / 2
    assert {choice.op for _, architecture in found for _, choice in architecture.choices} == set(space.ops)


def test_reduction_is_a_parameter_only_under_operators_that_have_one() -> None:
    space = created("plain")
    for trial, architecture in proposed(space, RandomSampler(seed=1)):
        for point in space.points:
            op = architecture[point.name].op
            ratios = {key for key in trial.params if key.startswith(point.name) and key.endswith(".r")}
            # At these widths every ratio of sk is the same network, so there is nothing to choose.
            assert ratios == ({f"{point.name}.{op}.r"} if op in ("aff", "iaff") else set())


def test_a_space_of_one_architecture_has_no_parameters() -> None:
    space = created("one choice")
    assert space.params(space.uniform("sum")) == {}
    trial = study(RandomSampler(seed=0)).ask()
    assert space.suggest(trial) == space.uniform("sum")
    assert trial.params == {}
