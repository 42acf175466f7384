"""Every sampler in a plain Optuna study: what it proposes, and what it never does."""

from __future__ import annotations

import itertools
import json
import math
import warnings

import numpy as np
import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.trial import TrialState

import search
import spaces
from fusion_ops.errors import ConfigError, Infeasible, SpecError, UnknownNameError
from search.strategy.samplers import SAMPLERS
from search.strategy.samplers.optuna_samplers import FlatSampler
from search.strategy.samplers.proposing import Problem

optuna.logging.set_verbosity(optuna.logging.WARNING)
FAST = [name for name in SAMPLERS.names() if name != "gp"]
OBJECTIVES = {1: ("accuracy",), 2: ("accuracy", "params"), 3: ("loss", "params", "flops")}
DIRECTIONS = {1: ["maximize"], 2: ["maximize", "minimize"], 3: ["minimize"] * 3}


@pytest.fixture(scope="module")
def space():
    return spaces.create("resnet", depth=14, width=8, num_classes=10, in_channels=1, input_size=(8, 8))


@pytest.fixture(scope="module")
def tiny():
    """27 architectures."""
    return spaces.create("resnet", depth=8, width=4, in_channels=1, input_size=(8, 8), ops=("sum", "concat", "sk"))


def created(name, space, objectives=2, seed=0, **more):
    sampler = search.create_sampler(name, space, objectives=OBJECTIVES[objectives], seed=seed, **more)
    return optuna.create_study(directions=DIRECTIONS[objectives], sampler=sampler)


def worth(architecture) -> float:
    """An accuracy: attention pays, late points more than early ones, each with its own best r."""
    values = {"sum": 0.0, "concat": 0.2, "sk": 0.5, "aff": 1.0, "iaff": 1.1}
    return sum(
        (index + 1) * (values[choice.op] - 0.1 * abs(math.log2(choice.r or 4) - 2))
        for index, (_, choice) in enumerate(architecture.choices)
    )


def told(study, space, trial, objectives):
    architecture = space.suggest(trial)
    cost = space.cost(architecture)
    values = {"accuracy": worth(architecture), "loss": math.exp(-worth(architecture)), **vars_of(cost)}
    study.tell(trial, [values[name] for name in OBJECTIVES[objectives]])
    return architecture


def vars_of(cost):
    return {"params": cost.params, "flops": cost.flops}


def proposed(study, space, count, objectives=2):
    return [told(study, space, study.ask(), objectives) for _ in range(count)]


@pytest.mark.parametrize("objectives", [1, 2, 3])
@pytest.mark.parametrize("name", FAST)
def test_four_in_training_at_a_time(name, objectives, space) -> None:
    study, seen = created(name, space, objectives), set()
    for _ in range(8):
        trials = [study.ask() for _ in range(4)]
        architectures = [space.suggest(trial) for trial in trials]
        for trial, architecture in zip(trials, architectures, strict=True):
            assert space.params(architecture) == trial.params
            assert architecture.id not in seen
            seen.add(architecture.id)
            cost = space.cost(architecture)
            accuracy = worth(architecture)
            values = {"accuracy": accuracy, "loss": math.exp(-accuracy), **vars_of(cost)}
            study.tell(trial, [values[measure] for measure in OBJECTIVES[objectives]])
    assert len(study.trials) == len(seen) == 32


def test_gp_beyond_its_start(tiny) -> None:
    study = created("gp", tiny)
    architectures = proposed(study, tiny, 11)
    assert len({architecture.id for architecture in architectures}) == 11


def test_gp_is_shown_what_is_completed_and_what_is_in_training(tiny) -> None:
    shown = []

    class Spy(optuna.samplers.RandomSampler):
        def infer_relative_search_space(self, study, trial):
            shown.append([(known.state, len(known.params)) for known in study.trials if known.number < trial.number])
            return super().infer_relative_search_space(study, trial)

    sampler = FlatSampler(Problem(tiny, OBJECTIVES[2]), Spy(seed=0))
    study = optuna.create_study(directions=DIRECTIONS[2], sampler=sampler)
    trials = [study.ask() for _ in range(4)]
    for trial in trials:
        tiny.suggest(trial)
    told(study, tiny, trials[2], 2)
    study.tell(trials[1], state=TrialState.PRUNED)
    tiny.suggest(study.ask())
    slots = len(tiny.slots)
    assert shown[-1] == [(TrialState.COMPLETE, slots), (TrialState.RUNNING, slots), (TrialState.RUNNING, slots)]


@pytest.mark.parametrize("name", FAST)
def test_same_seed_same_sequence(name, space) -> None:
    first, again, other = (proposed(created(name, space, seed=seed), space, 24) for seed in (3, 3, 4))
    assert first == again
    assert first != other


@pytest.mark.parametrize("name", FAST)
def test_the_order_of_answers_between_two_proposals_does_not_matter(name, space) -> None:
    """Four in training: whoever answers first, the next proposals rest on the same four answers."""
    orders = np.random.default_rng(0).permuted(np.tile(np.arange(4), (8, 1)), axis=1)
    sequences = []
    for forwards in (True, False):
        study, sequence = created(name, space, seed=5), []
        for order in orders:
            trials = [study.ask() for _ in range(4)]
            sequence += [space.suggest(trial) for trial in trials]
            for index in order if forwards else order[::-1]:
                told(study, space, trials[index], 2)
        sequences.append(sequence)
    assert sequences[0] == sequences[1]


@pytest.mark.parametrize("name", FAST)
def test_no_repeat_while_anything_is_unseen(name, tiny) -> None:
    architectures = proposed(created(name, tiny), tiny, 30)
    assert len({architecture.id for architecture in architectures[:27]}) == 27
    assert all(architecture in set(tiny.enumerate()) for architecture in architectures[27:])


def test_local_proposes_neighbours_of_the_best(space) -> None:
    study = created("local", space, objectives=1)
    best = max(proposed(study, space, 10, objectives=1), key=worth)
    for _ in range(20):
        neighbour = told(study, space, study.ask(), 1)
        assert sum(mine != other for mine, other in zip(neighbour.choices, best.choices, strict=True)) == 1
        best = max(best, neighbour, key=worth)


@pytest.mark.parametrize("name", FAST)
@settings(max_examples=3, deadline=None)
@given(share=st.floats(0.0, 1.0), seed=st.integers(0, 1_000))
def test_constraints_are_respected(name, share, seed, space) -> None:
    costs = [space.cost(space.uniform(op)) for op in space.ops]
    bounds = {
        measure: (1 - share) * space.smallest(measure) + share * max(getattr(cost, measure) for cost in costs)
        for measure in ("params", "flops")
    }
    study = created(name, space, seed=seed, constraints=bounds)
    for architecture in proposed(study, space, 16):
        cost = space.cost(architecture)
        assert cost.params <= bounds["params"]
        assert cost.flops <= bounds["flops"]


@pytest.mark.parametrize("name", FAST)
def test_every_feasible_architecture_is_found_under_a_tight_bound(name, tiny) -> None:
    bound = float(np.quantile([tiny.cost(one).params for one in tiny.enumerate()], 0.2))
    feasible = {one.id for one in tiny.enumerate() if tiny.cost(one).params <= bound}
    study = created(name, tiny, constraints={"params": bound})
    found = [one.id for one in proposed(study, tiny, len(feasible))]
    assert set(found) == feasible


@pytest.mark.parametrize("name", FAST)
def test_ratios_exist_under_operators_that_have_them(name, space) -> None:
    study = created(name, space)
    proposed(study, space, 20)
    for trial in study.trials:
        for slot in space.slots:
            op = trial.params[f"{slot.name}.op"]
            given_r = {key for key in trial.params if key.startswith(f"{slot.name}.") and key.endswith(".r")}
            expected = {f"{slot.name}.{op}.r"} if len(slot.reductions[op]) > 1 else set()
            assert given_r == expected
        assert json.loads(json.dumps(trial.params)) == trial.params


@pytest.mark.parametrize("name", FAST)
def test_queued_trials_keep_their_parameters(name, space) -> None:
    study = created(name, space)
    queued = space.uniform("aff", 8)
    study.enqueue_trial(space.params(queued))
    study.enqueue_trial({f"{space.slots[0].name}.op": "iaff"})
    architectures = proposed(study, space, 12)
    assert architectures[0] == queued
    assert architectures[1][space.slots[0].points[0].name].op == "iaff"
    assert queued not in architectures[1:]


@pytest.mark.parametrize("name", FAST)
def test_a_queued_architecture_is_not_proposed(name, tiny) -> None:
    study = created(name, tiny)
    proposed(study, tiny, 25)
    last, waiting = set(tiny.enumerate()) - {tiny.suggest(optuna.trial.FixedTrial(t.params)) for t in study.trials}
    in_training = study.ask()
    chosen = tiny.suggest(in_training)
    study.enqueue_trial(tiny.params(waiting if chosen == last else last))
    queued = tiny.suggest(study.ask())
    assert {chosen, queued} == {last, waiting}


@pytest.mark.parametrize("name", FAST)
def test_goes_on_with_failed_and_stopped_trials(name, space) -> None:
    study = created(name, space)
    states = itertools.cycle([TrialState.FAIL, TrialState.PRUNED, TrialState.COMPLETE, TrialState.COMPLETE])
    seen = set()
    for state in itertools.islice(states, 40):
        trial = study.ask()
        architecture = space.suggest(trial)
        assert architecture.id not in seen
        seen.add(architecture.id)
        trial.set_user_attr("curve:1", {"accuracy": 0.1 * worth(architecture)})
        trial.set_user_attr("curve:2", {"accuracy": 0.2 * worth(architecture)})
        complete = state == TrialState.COMPLETE
        values = [worth(architecture), space.cost(architecture).params] if complete else None
        study.tell(trial, values, state=state)


@pytest.mark.parametrize("name", FAST)
def test_a_fresh_sampler_goes_on_with_an_old_study(name, space) -> None:
    study = created(name, space)
    before = proposed(study, space, 20)
    study.sampler = search.create_sampler(name, space, objectives=OBJECTIVES[2], seed=1)
    after = proposed(study, space, 12)
    assert not {one.id for one in before} & {one.id for one in after}


def test_unknown_names_and_impossible_settings(space) -> None:
    with pytest.raises(UnknownNameError, match="bayes"):
        search.create_sampler("bayes", space)
    with pytest.raises(UnknownNameError, match="acuracy"):
        search.create_sampler("auto", space, objectives=("acuracy",))
    with pytest.raises(ConfigError, match="training"):
        search.create_sampler("auto", space, objectives=("params", "flops"))
    with pytest.raises(ConfigError, match="once"):
        search.create_sampler("auto", space, objectives=("loss", "loss"))
    with pytest.raises(SpecError, match="seed"):
        search.create_sampler("auto", space, seed=-1)


def test_infeasible_constraints_are_refused_at_once(space) -> None:
    smallest = space.smallest("params")
    with pytest.raises(Infeasible, match="smallest"):
        search.create_sampler("auto", space, constraints={"params": smallest - 1})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        study = created("auto", space, constraints={"params": smallest})
        assert space.cost(proposed(study, space, 1)[0]).params == smallest
