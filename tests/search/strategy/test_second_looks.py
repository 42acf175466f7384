"""Second looks: what was stopped is trained on where that is expected to pay."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState

import search
import spaces
from reports.candidates import table
from reports.candidates.candidate import Candidate
from reports.run.second_looks import SecondLooks, second_looks
from search.strategy.observations import Observation, Observations
from search.strategy.proposals.encoding import Encoding
from search.strategy.pruners.history import Curve
from search.strategy.pruners.rule import ParetoRule
from search.strategy.surrogate.evidence import Yardstick
from search.strategy.trials import PREDICTED
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


def drive(study, space, trials: int, limit: float) -> list[str]:
    """Stop what is worth more than `limit` the first time; return the ids of the architectures."""
    proposed: list[str] = []
    for _ in range(trials):
        trial = study.ask()
        architecture = space.suggest(trial)
        if worth(architecture) > limit and architecture.id not in proposed:
            study.tell(trial, state=TrialState.PRUNED)
        else:
            study.tell(trial, worth(architecture))
        proposed.append(architecture.id)
    return proposed


def test_what_was_stopped_wrongly_is_proposed_again_once(tiny) -> None:
    study = created(tiny)
    proposed = drive(study, tiny, 24, limit=2.4)
    looks = [number for number, one in enumerate(proposed) if one in proposed[:number]]
    assert looks
    for number in looks:
        first = proposed.index(proposed[number])
        assert study.trials[first].state == TrialState.PRUNED
        assert study.trials[first].params == study.trials[number].params
    assert max(Counter(proposed).values()) == 2
    # Nothing marks them; what the model predicted of a proposal is kept of all.
    assert all(set(trial.user_attrs) <= {PREDICTED} for trial in study.trials)
    assert study.best_value > 2.4
    assert drive(created(tiny), tiny, 24, limit=2.4) == proposed


def test_hardly_anything_is_looked_at_again_while_new_ones_promise_more() -> None:
    """What was stopped is bad indeed, and the surrogate learns it: one look is taken, no second one."""
    wide = spaces.create("resnet", depth=14, width=4, in_channels=1, input_size=(8, 8), ops=tuple(WORTH))
    study = created(wide)
    ids = set()
    for _ in range(26):
        trial = study.ask()
        architecture = wide.suggest(trial)
        ids.add(architecture.id)
        if worth(architecture) < 6.0:
            study.tell(trial, state=TrialState.PRUNED)
        else:
            study.tell(trial, worth(architecture))
    assert len(ids) >= 25
    assert sum(trial.state == TrialState.PRUNED for trial in study.trials) > 4


@pytest.mark.parametrize("sampler", ["random", "evolution", "local"])
def test_other_samplers_propose_nothing_again(sampler, tiny) -> None:
    assert len(set(drive(created(tiny, sampler), tiny, 20, limit=1.5))) == 20


def told(study, space, architecture, state: TrialState, **attributes) -> None:
    study.enqueue_trial(space.params(architecture), user_attrs=attributes)
    trial = study.ask()
    space.suggest(trial)
    study.tell(trial, 0.5 if state == TrialState.COMPLETE else None, state=state)


@pytest.mark.parametrize("end", [TrialState.PRUNED, TrialState.FAIL, TrialState.COMPLETE])
def test_a_second_look_is_the_last_however_it_ends(tiny, end) -> None:
    one, other = itertools.islice(tiny.enumerate(), 2)
    study = created(tiny)
    for architecture, state in [(one, TrialState.PRUNED), (other, TrialState.PRUNED), (one, end)]:
        told(study, tiny, architecture, state)
    seen = Observations(Encoding(tiny))
    seen.update(study, besides=-1)
    assert [known.number for known in seen.stopped.values()] == [1]


def test_what_is_looked_at_again_now_is_not_proposed_meanwhile(tiny) -> None:
    one = next(tiny.enumerate())
    study = created(tiny)
    told(study, tiny, one, TrialState.PRUNED)
    seen = Observations(Encoding(tiny))
    seen.update(study, besides=-1)
    assert len(seen.stopped) == 1
    study.enqueue_trial(tiny.params(one))
    seen.update(study, besides=-1)
    assert not seen.stopped
    tiny.suggest(study.ask())
    seen.update(study, besides=-1)
    assert not seen.stopped


def record(space, architecture, **fields) -> dict[str, Any]:
    cost = space.cost(architecture)
    return Candidate(0, architecture, "search", 0, cost.params, cost.flops, **fields).to_attrs()


@pytest.mark.parametrize(
    ("fields", "left"),
    [
        ({"state": "duplicate"}, True),
        ({"state": "complete", "series": "random"}, True),
        ({"state": "failed", "again": True}, False),
        ({"state": "infeasible", "again": True}, False),
    ],
)
def test_what_a_run_tells_as_failed_is_a_look_if_it_was_trained(tiny, fields, left) -> None:
    one = next(tiny.enumerate())
    study = created(tiny)
    told(study, tiny, one, TrialState.PRUNED, candidate=record(tiny, one, state="pruned"))
    told(study, tiny, one, TrialState.FAIL, candidate=record(tiny, one, **fields))
    seen = Observations(Encoding(tiny))
    seen.update(study, besides=-1)
    assert bool(seen.stopped) is left


def test_a_completed_second_look_takes_the_place_of_its_stopped_curve(tiny) -> None:
    codes = Encoding(tiny).draw(np.random.default_rng(7), 60)
    codes = np.unique(codes, axis=0)[:10]
    ended = [
        Observation(i, code, TrialState.COMPLETE, np.array([-0.5 - 0.04 * i]), {1: {"accuracy": 0.25 + 0.02 * i}})
        for i, code in enumerate(codes)
    ]
    stopped = Observation(10, codes[3], TrialState.PRUNED, None, {1: {"accuracy": 0.3}})
    assert len(Yardstick(ended, 0, "accuracy", -1.0, float)([*ended, stopped])) == 10


def test_the_pruner_judges_a_second_look_beyond_the_first_one_and_asks_less_of_it(tiny) -> None:
    pruner = search.create_pruner("auto", tiny, objectives=("accuracy",), epochs=8, seed=0)
    study = created(tiny, "random", pruner=pruner)
    for number in range(10):
        trial = study.ask()
        tiny.suggest(trial)
        for epoch in range(1, 9):
            search.report(trial, epoch=epoch, accuracy=0.5 + 0.01 * number + 0.02 * epoch)
        study.tell(trial, 0.7 + 0.01 * number)

    def stopped_at(architecture, *accuracies: float) -> int:
        study.enqueue_trial(tiny.params(architecture))
        trial = study.ask()
        tiny.suggest(trial)
        for epoch, accuracy in enumerate(accuracies, start=1):
            search.report(trial, epoch=epoch, accuracy=accuracy)
            if search.should_prune(trial):
                study.tell(trial, state=TrialState.PRUNED)
                return epoch
        study.tell(trial, state=TrialState.FAIL)
        return 0

    # The same curve is stopped at once, and then only where it goes on as badly.
    assert stopped_at(tiny.uniform("sum"), 0.1) == 1
    assert stopped_at(tiny.uniform("sum"), 0.1, 0.11) == 2
    assert stopped_at(tiny.uniform("sk"), 0.1) == 1
    study.pruner = search.create_pruner("auto", tiny, objectives=("accuracy",), epochs=8, seed=0)
    assert stopped_at(tiny.uniform("sk"), 0.1, 0.95) == 0


def test_a_second_look_is_granted_more_and_binds_no_other(tiny) -> None:
    """A curve that is stopped the first time goes on the second time, and others like it are stopped as before."""
    rng = np.random.default_rng(0)

    def told(number: int, first: float, *later: float, final: float | None = None) -> Curve:
        quality = {epoch: (value,) for epoch, value in enumerate((first, *later), start=1)}
        return Curve(number, quality, (), () if final is None else (final,), ())

    def stops(rule: ParetoRule, look: float, *, before: int) -> bool:
        return rule.judge(told(99, 0.1, look), before=before) is not None

    rule = ParetoRule(("accuracy",), epochs=8, share=0.0)
    for number in range(30):
        start = rng.normal(0.5, 0.05)
        rule.learn(told(number, start - 0.1, start, final=start + 0.3 + rng.normal(0, 0.03)))
    curves = [look for look in np.linspace(0.3, 0.7, 41).tolist() if stops(rule, look, before=0)]
    again = [look for look in np.linspace(0.3, 0.7, 41).tolist() if stops(rule, look, before=1)]
    assert 0 < len(again) < len(curves)
    assert max(again) < max(curves)
    # Not before it has gone on, and what was decided of others stands.
    assert not stops(rule, 0.3, before=2)
    assert [look for look in np.linspace(0.3, 0.7, 41).tolist() if stops(rule, look, before=0)] == curves
    assert all(rule.judge(told(99, 0.1, look), before=1).audit is False for look in again)


# In a run


def curve(*accuracies: float) -> tuple[dict[str, float], ...]:
    return tuple({"accuracy": value, "loss": 1 - value} for value in accuracies)


def with_one_stopped(open_ledger, space, epochs=2):
    """A ledger with eight completed candidates and one that was stopped."""
    ledger = open_ledger(objectives=("accuracy",), trials=20, epochs=epochs)
    for index in range(8):
        candidate = ledger.ask()
        told = curve(*np.linspace(0.5, 0.8, epochs) + index / 100)
        ledger.report(candidate.number, Progress(told, 1.0, "host:1", done=True))
    while not (candidate := ledger.ask()).curve:
        if ledger.report(candidate.number, Progress(curve(0.3), 0.5, "host:1")):
            return ledger, candidate
        ledger.report(candidate.number, Progress(curve(0.3, 0.4), 0.5, "host:1", done=True))
    raise AssertionError


def propose(ledger, architecture) -> None:
    ledger.study.enqueue_trial(ledger.space.params(architecture))


def test_a_second_look_is_trained_to_its_end_and_the_table_says_why(open_ledger, space) -> None:
    ledger, stopped = with_one_stopped(open_ledger, space)
    trained = ledger.count("complete", "pruned", "failed")
    propose(ledger, stopped.architecture)
    again = ledger.ask()
    assert (again.architecture, again.state, again.curve) == (stopped.architecture, "running", [])
    assert not ledger.report(again.number, Progress(curve(0.3), 0.5, "host:1"))
    ledger.report(again.number, Progress(curve(0.3, 0.95), 1.0, "host:1", done=True))
    assert ledger.count("complete", "pruned", "failed") == trained + 1
    frame = table.frame(ledger.records(), ("accuracy",))
    rows = frame.set_index("number")
    assert rows.loc[stopped.number, "state"] == "pruned"
    row = rows.loc[again.number]
    assert (row["state"], row["id"], row["on_front"]) == ("complete", stopped.id, True)
    assert row["reason"] == f"a second look at candidate {stopped.number}, which was stopped at epoch 1"
    assert second_looks(frame) == SecondLooks(complete=1, on_front=1)
    propose(ledger, stopped.architecture)
    ledger.ask()
    copy = next(c for c in ledger.all() if c.state == "duplicate")
    assert copy.reason == f"same architecture as candidate {again.number}"
    assert copy.curve == again.curve


def test_a_second_look_that_goes_on_badly_is_stopped_again(open_ledger, space) -> None:
    ledger, stopped = with_one_stopped(open_ledger, space, epochs=4)
    propose(ledger, stopped.architecture)
    again = ledger.ask()
    assert ledger.report(again.number, Progress(curve(0.3, 0.31), 1.0, "host:1", before=1))
    assert again.state == "pruned"
    said = f"a second look at candidate {stopped.number}, which was stopped at epoch 1; expected accuracy "
    assert again.reason.startswith(said)
    assert not ledger.may_be_taken_up(again)
    assert second_looks(table.frame(ledger.records(), ("accuracy",))) == SecondLooks(0, 0, stopped=1)
    propose(ledger, stopped.architecture)
    assert ledger.ask().id != stopped.id


def test_a_stopped_candidate_may_be_gone_on_from_until_a_second_look_has_ended(open_ledger, space) -> None:
    ledger, stopped = with_one_stopped(open_ledger, space)
    complete = next(one for one in ledger.all() if one.state == "complete")
    assert ledger.may_be_taken_up(stopped)
    assert not ledger.may_be_taken_up(complete)
    propose(ledger, stopped.architecture)
    again = ledger.ask()
    assert ledger.may_be_taken_up(stopped)
    ledger.finish(again.number, "pruned", "stopped by hand")
    assert not ledger.may_be_taken_up(stopped)
    assert not ledger.may_be_taken_up(again)


@pytest.mark.parametrize("end", ["failed", "infeasible", "pruned", "running"])
def test_an_architecture_gets_one_second_look_however_it_ends(open_ledger, space, end) -> None:
    ledger, stopped = with_one_stopped(open_ledger, space)
    complete = next(candidate for candidate in ledger.all() if candidate.state == "complete")
    propose(ledger, complete.architecture)
    propose(ledger, stopped.architecture)
    again = ledger.ask()
    assert (again.id, ledger.candidates[again.number - 1].state) == (stopped.id, "duplicate")
    if end != "running":
        ledger.finish(again.number, end)
        ledger = open_ledger(objectives=("accuracy",), trials=20, epochs=2)
    propose(ledger, stopped.architecture)
    fresh = ledger.ask()
    assert ledger.candidates[again.number + 1].reason == f"same architecture as candidate {again.number}"
    assert fresh.id != stopped.id


def test_optunas_pruners_stop_no_second_look_of_a_run(open_ledger, space) -> None:
    ledger = open_ledger(objectives=("accuracy",), pruner="median", trials=20, epochs=2)
    for index in range(6):
        ledger.report(ledger.ask().number, Progress(curve(0.5, 0.8 + index / 100), 1.0, "host:1", done=True))
    stopped = ledger.ask()
    assert ledger.report(stopped.number, Progress(curve(0.3), 0.5, "host:1"))
    propose(ledger, stopped.architecture)
    again = ledger.ask()
    assert again.again
    assert not ledger.report(again.number, Progress(curve(0.3), 0.5, "host:1"))


def test_an_interrupted_second_look_goes_on_as_one(open_ledger, space) -> None:
    ledger, stopped = with_one_stopped(open_ledger, space)
    propose(ledger, stopped.architecture)
    again = ledger.ask()
    ledger.release()
    reopened = open_ledger(objectives=("accuracy",), trials=20, epochs=2)
    assert stopped.id in {waiting.id for waiting in reopened.to_go_on()}
    taken = reopened.ask()
    assert (taken.number, taken.again) == (again.number, True)
    assert not reopened.report(taken.number, Progress(curve(0.1), 0.5, "host:1"))
    reopened.report(taken.number, Progress(curve(0.1, 0.2), 0.5, "host:1", done=True))
    assert reopened.candidates[taken.number].state == "complete"


def test_a_second_look_that_an_earlier_version_marked_is_one_still(open_ledger, space) -> None:
    ledger, stopped = with_one_stopped(open_ledger, space)
    propose(ledger, stopped.architecture)
    again = ledger.ask()
    ledger.release()
    marked = {name: value for name, value in again.to_attrs().items() if name != "again"}
    trial = ledger.study.get_trials(deepcopy=False)[again.number]
    ledger.study._storage.set_trial_user_attr(trial._trial_id, "candidate", marked | {"second_look": stopped.number})
    ledger.study._storage.set_trial_user_attr(trial._trial_id, "second_look", stopped.number)
    reopened = open_ledger(objectives=("accuracy",), trials=20, epochs=2)
    taken = reopened.ask()
    assert (taken.number, taken.again) == (again.number, True)
    assert not reopened.report(taken.number, Progress(curve(0.1), 0.5, "host:1"))
    reopened.finish(taken.number, "failed")
    propose(reopened, stopped.architecture)
    assert reopened.ask().id != stopped.id
