"""What stands in a trial: read alike in runs and in users' own studies, of this version and of earlier ones."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.trial import TrialState

import search
from reports.candidates.candidate import Candidate
from search.strategy import trials
from search.strategy.pruners import create_pruner
from search.training.job import Progress

optuna.logging.set_verbosity(optuna.logging.WARNING)

measures = st.dictionaries(st.sampled_from(["accuracy", "loss", "miou"]), st.floats(0, 1), min_size=3)
curves = st.lists(measures, min_size=1, max_size=6)


def study_of(objectives: int) -> optuna.Study:
    return optuna.create_study(directions=["maximize", "minimize"][:objectives])


def frozen(state: TrialState = TrialState.PRUNED, **more: Any) -> optuna.trial.FrozenTrial:
    values = 0.5 if state == TrialState.COMPLETE else None
    return optuna.trial.create_trial(state=state, value=values, **more)


@settings(max_examples=30, deadline=None)
@given(curves)
def test_a_curve_is_the_same_however_it_was_written(curve) -> None:
    by_epoch = dict(enumerate(curve, start=1))
    several, one = study_of(2).ask(), study_of(1).ask()
    for trial in (several, one):
        for epoch, values in by_epoch.items():
            trials.report(trial, epoch, values, "accuracy")
    assert trials.learning_curve(trials.latest(several)) == by_epoch
    assert trials.latest(several).intermediate_values == {}
    assert trials.learning_curve(trials.latest(one)) == {
        epoch: {"": values["accuracy"]} for epoch, values in by_epoch.items()
    }
    assert trials.learning_curve(frozen(user_attrs={"candidate": {"curve": curve}})) == by_epoch


@settings(max_examples=30, deadline=None)
@given(curves, curves, st.sampled_from([1, 2]))
def test_a_training_that_began_again_counts_as_far_as_it_has_come(first, second, objectives) -> None:
    trial = study_of(objectives).ask()
    whole, so_far = trials.report_curve(trial, first, "accuracy"), trials.report_curve(trial, second, "accuracy")
    for known, curve in ((whole, first), (so_far, second)):
        told = trials.learning_curve(known)
        assert list(told) == list(range(1, len(curve) + 1))
        assert [values.get("", values.get("accuracy")) for values in told.values()] == [
            values["accuracy"] for values in curve
        ]
    # What was reported before stays in the study.
    assert len(trials.learning_curve(trials.latest(trial))) == max(len(first), len(second))


def test_a_candidate_in_training_has_what_it_reported_not_what_its_record_says() -> None:
    attributes = {
        "candidate": {"curve": [{"accuracy": 0.1}]},
        "curve:1": {"accuracy": 0.1},
        "curve:2": {"accuracy": 0.2},
    }
    assert list(trials.learning_curve(frozen(user_attrs=attributes))) == [1]
    assert list(trials.learning_curve(frozen(TrialState.RUNNING, user_attrs=attributes))) == [1, 2]


def test_a_queued_trial_has_the_parameters_that_it_is_queued_with(space) -> None:
    study = study_of(1)
    params = space.params(space.uniform("aff", 2))
    study.enqueue_trial(params)
    assert trials.parameters(study.trials[0]) == params
    trial = study.ask()
    assert trials.parameters(study.trials[0]) == params
    space.suggest(trial)
    assert trials.parameters(study.trials[0]) == params == study.trials[0].params


def test_a_decision_is_left_in_the_trial_and_known_by_its_epoch() -> None:
    for audit, name in ((False, "stop"), (True, "audit")):
        study = study_of(2)
        trial = study.ask()
        assert trials.decision(trial, 3) is None
        made = trials.Decision(3, "no hope", audit=audit)
        trials.save_decision(study, trials.latest(trial), made)
        assert trials.decision(trial, 3) == made
        assert trials.decision(trial, 4) is None
        assert trials.latest(trial).user_attrs == {name: {"epoch": 3, "reason": "no hope"}}
        assert trials.audited(trials.latest(trial)) is audit


# What earlier versions wrote


def kept(space, **fields: Any) -> dict[str, Any]:
    architecture = space.uniform("sum")
    cost = space.cost(architecture)
    return Candidate(0, architecture, "search", 0, cost.params, cost.flops).to_attrs() | fields


def test_records_of_earlier_versions_are_read(space) -> None:
    assert trials.record(frozen()) is None
    old = {name: value for name, value in kept(space).items() if name != "again"}
    assert not trials.record(frozen(user_attrs={"candidate": old | {"second_look": None}})).again
    assert trials.record(frozen(user_attrs={"candidate": old | {"second_look": 0}})).again
    assert trials.record(frozen(user_attrs={"candidate": kept(space, again=True)})).again
    assert trials.audited(frozen(user_attrs={"candidate": kept(space, audit=1)}))
    assert not trials.audited(frozen(user_attrs={"candidate": kept(space, audit=None)}))


def test_a_candidate_is_written_whole_once_and_then_what_has_changed(space) -> None:
    """Also where an earlier version wrote the first one, with other fields."""
    candidate = Candidate(0, space.uniform("sum"), "search", 0, 1, 2)
    for earlier in ({}, {"second_look": None}):
        trial = study_of(2).ask()
        trials.save(trial, candidate)
        if earlier:
            old = {name: value for name, value in candidate.to_attrs().items() if name not in ("again", "lost")}
            trial.set_user_attr("candidate", old | earlier)
        first = trial.user_attrs["candidate"]
        for changes in (
            {"retries": 1},
            {"state": "failed", "again": True, "curve": [{"accuracy": 0.5}]},
            {"retries": 0},
        ):
            for name, value in changes.items():
                setattr(candidate, name, value)
            trials.save(trial, candidate)
            assert trials.record(trial) == candidate
        assert trial.user_attrs["candidate"] == first
        assert "architecture" not in trial.user_attrs["since"]
        trials.tell(trial, None, TrialState.FAIL)
        assert trials.learning_curve(trials.latest(trial)) == {1: {"accuracy": 0.5}}
        assert trials.trained(trials.latest(trial))
        candidate = Candidate(0, space.uniform("sum"), "search", 0, 1, 2)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"state": "failed"}, True),
        ({"state": "duplicate"}, False),
        ({"state": "infeasible"}, False),
        ({"state": "infeasible", "again": True}, True),
        ({"state": "infeasible", "second_look": 0}, True),
        ({"state": "complete", "series": "random"}, False),
        ({"state": "failed", "series": "random"}, False),
    ],
)
def test_what_is_told_as_failed_was_trained_or_not(space, fields, expected) -> None:
    assert trials.trained(frozen(TrialState.FAIL, user_attrs={"candidate": kept(space, **fields)})) is expected


def test_a_failure_in_ones_own_study_was_a_training() -> None:
    assert all(trials.trained(frozen(state)) for state in (TrialState.FAIL, TrialState.PRUNED, TrialState.COMPLETE))


# A run does what a user's own study does


def accuracy(number: int, epoch: int) -> float:
    return (0.3 + 0.6 * ((number * 37) % 101) / 101) * (1 - 0.6**epoch)


@pytest.mark.parametrize("objectives", [("accuracy",), ("accuracy", "params")])
@pytest.mark.parametrize("pruner", ["auto", "median"])
def test_a_run_and_a_study_of_ones_own_decide_alike(open_ledger, space, objectives, pruner) -> None:
    if pruner == "median" and len(objectives) > 1:
        return
    ledger = open_ledger(objectives=objectives, pruner=pruner, trials=40)
    in_run = {}
    while (candidate := ledger.ask()) is not None:
        for epoch in range(1, 9):
            curve = tuple({"accuracy": accuracy(candidate.number, e)} for e in range(1, epoch + 1))
            if ledger.report(candidate.number, Progress(curve, 1.0, "host:1", done=epoch == 8)):
                break
        in_run[candidate.number] = (candidate.state, candidate.epochs)
    study = optuna.create_study(
        directions=["maximize", "minimize"][: len(objectives)],
        sampler=search.create_sampler("random", space, objectives=objectives, seed=0),
        pruner=create_pruner(pruner, space, objectives, 8, 0),
    )
    own = {}
    while len(own) < 40:
        trial = study.ask()
        architecture = space.suggest(trial)
        for epoch in range(1, 9):
            search.report(trial, epoch=epoch, accuracy=accuracy(trial.number, epoch))
            if epoch < 8 and search.should_prune(trial):
                study.tell(trial, state=TrialState.PRUNED)
                own[trial.number] = ("pruned", epoch)
                break
        else:
            study.tell(trial, [accuracy(trial.number, 8), space.cost(architecture).params][: len(objectives)])
            own[trial.number] = ("complete", 8)
    assert in_run == own
    assert {state for state, _ in own.values()} == {"pruned", "complete"}


@pytest.mark.parametrize(("pruner", "reason"), [("auto", "from epoch 1;"), ("median", "MedianPruner at epoch 1: ")])
def test_a_candidate_is_not_judged_on_epochs_that_it_has_not_reached_again(open_ledger, pruner, reason) -> None:
    ledger = open_ledger(objectives=("accuracy",), pruner=pruner, trials=30)
    for index in range(8):
        number = ledger.ask().number
        whole = tuple({"accuracy": 0.1 * epoch + index / 100} for epoch in range(1, 9))
        ledger.report(number, Progress(whole, 1.0, "host:1", done=True))
    candidate = ledger.ask()
    good = ({"accuracy": 0.5}, {"accuracy": 0.9}, {"accuracy": 0.95})
    assert not ledger.report(candidate.number, Progress(good, 1.0, "host:1"))
    ledger.retry(candidate.number)
    assert ledger.report(candidate.number, Progress(({"accuracy": 0.01},), 1.0, "host:2"))
    assert reason in candidate.reason


def test_three_files_know_optunas_private_parts() -> None:
    root = Path(search.__file__).parent
    private = re.compile(r"\._(storage|study_id|trial_id|cached_frozen_trial|replay_result)\b")
    found = {path.relative_to(root).as_posix() for path in root.rglob("*.py") if private.search(path.read_text())}
    # The last two keep a journal's trials in memory, in place of Optuna's own storage.
    assert found == {"strategy/trials.py", "study/long_storage.py", "study/parked.py"}
