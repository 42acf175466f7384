"""Second looks: what was stopped is trained to its end where that is expected to pay."""

from __future__ import annotations

import itertools

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState

import search
import spaces
from reports import candidates as table
from search.strategy.observations import Observation, Observations
from search.strategy.proposals.encoding import Encoding
from search.strategy.surrogate.evidence import Yardstick
from search.training.job import Progress

optuna.logging.set_verbosity(optuna.logging.WARNING)
WORTH = {"sum": 0.0, "concat": 0.2, "sk": 0.5}


@pytest.fixture(scope="module")
def tiny():
    """27 architectures."""
    return spaces.create("resnet", depth=8, width=4, in_channels=1, input_size=(8, 8), ops=("sum", "concat", "sk"))


def worth(architecture) -> float:
    return sum((place + 1) * WORTH[choice.op] for place, (_, choice) in enumerate(architecture.choices))


def created(space, sampler="auto", **more):
    return optuna.create_study(
        direction="maximize", sampler=search.create_sampler(sampler, space, objectives=("accuracy",), seed=0), **more
    )


def drive(study, space, trials: int, limit: float) -> list[tuple[str, int | None]]:
    """Stop what is worth more than `limit` the first time; return architectures and what they look at again."""
    proposed: list[tuple[str, int | None]] = []
    for _ in range(trials):
        trial = study.ask()
        architecture = space.suggest(trial)
        again = trial.user_attrs.get("second_look")
        if worth(architecture) > limit and again is None:
            study.tell(trial, state=TrialState.PRUNED)
        else:
            study.tell(trial, worth(architecture))
        proposed.append((architecture.id, again))
    return proposed


def test_what_was_stopped_wrongly_is_proposed_again_once_and_marked(tiny) -> None:
    study = created(tiny)
    proposed = drive(study, tiny, 24, limit=2.4)
    looks = [(index, number) for index, (_, number) in enumerate(proposed) if number is not None]
    assert looks
    for index, number in looks:
        assert study.trials[number].state == TrialState.PRUNED
        assert study.trials[number].params == study.trials[index].params
    assert len({number for _, number in looks}) == len(looks)
    fresh = [architecture for architecture, number in proposed if number is None]
    assert len(set(fresh)) == len(fresh)
    assert study.best_value > 2.4
    assert drive(created(tiny), tiny, 24, limit=2.4) == proposed


def test_nothing_is_looked_at_again_while_new_ones_promise_more() -> None:
    """What was stopped is bad indeed, and the surrogate knows."""
    wide = spaces.create("resnet", depth=14, width=4, in_channels=1, input_size=(8, 8), ops=tuple(WORTH))
    study = created(wide)
    for _ in range(26):
        trial = study.ask()
        value = worth(wide.suggest(trial))
        assert "second_look" not in trial.user_attrs
        if value < 6.0:
            study.tell(trial, state=TrialState.PRUNED)
        else:
            study.tell(trial, value)
    assert sum(trial.state == TrialState.PRUNED for trial in study.trials) > 4


@pytest.mark.parametrize("sampler", ["random", "evolution", "local"])
def test_other_samplers_propose_nothing_again(sampler, tiny) -> None:
    proposed = drive(created(tiny, sampler), tiny, 20, limit=1.5)
    assert len({architecture for architecture, _ in proposed}) == 20
    assert all(number is None for _, number in proposed)


def test_a_second_look_that_was_stopped_too_or_failed_is_the_last(tiny) -> None:
    encoding = Encoding(tiny)
    one, other, third = itertools.islice(tiny.enumerate(), 3)
    for end in (TrialState.PRUNED, TrialState.FAIL):
        study = created(tiny)
        for architecture, state, attributes in [
            (one, TrialState.PRUNED, {}),
            (other, TrialState.PRUNED, {}),
            (one, end, {"second_look": 0}),
            (other, TrialState.FAIL, {}),
            (third, TrialState.PRUNED, {}),
        ]:
            study.enqueue_trial(tiny.params(architecture), user_attrs=attributes)
            trial = study.ask()
            tiny.suggest(trial)
            study.tell(trial, state=state)
        seen = Observations(encoding)
        seen.update(study, besides=-1)
        assert [known.number for known in seen.stopped.values()] == [1, 4]


def test_a_completed_second_look_takes_the_place_of_its_stopped_curve(tiny) -> None:
    codes = Encoding(tiny).draw(np.random.default_rng(7), 60)
    codes = np.unique(codes, axis=0)[:10]
    ended = [
        Observation(i, code, "complete", np.array([-0.5 - 0.04 * i]), {1: {"accuracy": 0.25 + 0.02 * i}})
        for i, code in enumerate(codes)
    ]
    stopped = Observation(10, codes[3], "stopped", None, {1: {"accuracy": 0.3}})
    assert len(Yardstick(ended, 0, "accuracy", -1.0, float)([*ended, stopped])) == 10


def test_the_pruner_stops_no_second_look(tiny) -> None:
    pruner = search.create_pruner("auto", tiny, objectives=("accuracy",), epochs=8, seed=0)
    study = created(tiny, "random", pruner=pruner)
    for number in range(10):
        trial = study.ask()
        tiny.suggest(trial)
        for epoch in range(1, 9):
            search.report(trial, epoch=epoch, accuracy=0.5 + 0.01 * number + 0.02 * epoch)
        study.tell(trial, 0.7 + 0.01 * number)
    stops = []
    for attributes in ({}, {"second_look": 0}):
        study.enqueue_trial(tiny.params(tiny.uniform("sum")), user_attrs=attributes)
        trial = study.ask()
        tiny.suggest(trial)
        search.report(trial, epoch=1, accuracy=0.1)
        stops.append(search.should_prune(trial))
    assert stops == [True, False]


# In a run


def curve(*accuracies: float) -> tuple[dict[str, float], ...]:
    return tuple({"accuracy": value, "loss": 1 - value} for value in accuracies)


def with_one_stopped(open_ledger, space):
    """A ledger with eight completed candidates and one that was stopped."""
    ledger = open_ledger(objectives=("accuracy",), trials=20, epochs=2)
    for index in range(8):
        candidate = ledger.ask()
        told = curve(0.5 + index / 100, 0.8 + index / 100)
        ledger.report(candidate.number, Progress(told, 1.0, "host:1", done=True))
    while not (candidate := ledger.ask()).curve:
        if ledger.report(candidate.number, Progress(curve(0.3), 0.5, "host:1")):
            return ledger, candidate
        ledger.report(candidate.number, Progress(curve(0.3, 0.4), 0.5, "host:1", done=True))
    raise AssertionError


def propose(ledger, architecture, **attributes) -> None:
    ledger.study.enqueue_trial(ledger.space.params(architecture), user_attrs=attributes)


def test_a_second_look_is_trained_to_its_end_and_the_table_says_why(open_ledger, space) -> None:
    ledger, stopped = with_one_stopped(open_ledger, space)
    trained = ledger.count("complete", "pruned", "failed")
    propose(ledger, stopped.architecture, second_look=stopped.number)
    again = ledger.ask()
    assert (again.architecture, again.state, again.curve) == (stopped.architecture, "running", [])
    assert not ledger.report(again.number, Progress(curve(0.3), 0.5, "host:1"))
    ledger.report(again.number, Progress(curve(0.3, 0.95), 1.0, "host:1", done=True))
    assert ledger.count("complete", "pruned", "failed") == trained + 1
    rows = table.frame(ledger.records(), ("accuracy",)).set_index("number")
    assert rows.loc[stopped.number, "state"] == "pruned"
    row = rows.loc[again.number]
    assert (row["state"], row["second_look"], row["on_front"]) == ("complete", stopped.number, True)
    assert row["reason"] == f"a second look at candidate {stopped.number}, which was stopped at epoch 1"
    propose(ledger, stopped.architecture)
    ledger.ask()
    copy = next(c for c in ledger.all() if c.state == "duplicate")
    assert copy.reason == f"same architecture as candidate {again.number}"
    assert copy.curve == again.curve


def test_without_the_samplers_word_a_stopped_one_is_a_duplicate(open_ledger, space) -> None:
    ledger, stopped = with_one_stopped(open_ledger, space)
    complete = next(candidate for candidate in ledger.all() if candidate.state == "complete")
    propose(ledger, stopped.architecture)
    propose(ledger, complete.architecture, second_look=complete.number)
    propose(ledger, stopped.architecture, second_look=complete.number)
    ledger.ask()
    ends = [candidate.state for candidate in ledger.all()[-4:]]
    assert ends == ["duplicate"] * 3 + ["running"]


def test_an_interrupted_second_look_goes_on_as_one(open_ledger, space) -> None:
    ledger, stopped = with_one_stopped(open_ledger, space)
    propose(ledger, stopped.architecture, second_look=stopped.number)
    again = ledger.ask()
    ledger.release()
    reopened = open_ledger(objectives=("accuracy",), trials=20, epochs=2)
    assert stopped.architecture.id in reopened.to_go_on()
    taken = reopened.ask()
    assert (taken.number, taken.second_look) == (again.number, stopped.number)
    assert not reopened.report(taken.number, Progress(curve(0.1), 0.5, "host:1"))
    reopened.report(taken.number, Progress(curve(0.1, 0.2), 0.5, "host:1", done=True))
    assert reopened.candidates[taken.number].state == "complete"
