"""The ledger: every candidate ends in one state, none is trained twice, nothing is lost."""

from __future__ import annotations

from collections import Counter

import pytest
from optuna.trial import TrialState

import spaces
from fusion_ops.errors import RunError
from search.training.job import Progress


def curve(*accuracies: float) -> tuple[dict[str, float], ...]:
    return tuple({"accuracy": value, "loss": 1 - value} for value in accuracies)


def finish(ledger, candidate, accuracy: float = 0.9) -> bool:
    return ledger.report(candidate.number, Progress(curve(0.5, accuracy), 1.0, "host:1", done=True))


def test_complete_candidate_tells_the_best_epoch_and_exact_cost(open_ledger, space):
    ledger = open_ledger()
    candidate = ledger.ask()
    ledger.report(candidate.number, Progress(curve(0.5, 0.9, 0.8), 1.5, "host:1", done=True))
    trial = ledger.study.trials[candidate.number]
    assert trial.state == TrialState.COMPLETE
    assert trial.values == [0.9, float(space.cost(candidate.architecture).params)]
    row = ledger.records()[0]
    assert (row["state"], row["accuracy"], row["epochs"], row["seconds"]) == ("complete", 0.9, 3, 1.5)
    assert row["curve"] == [0.5, 0.9, 0.8]


def test_telling_twice_changes_nothing(open_ledger):
    ledger = open_ledger()
    candidate = ledger.ask()
    assert finish(ledger, candidate)
    ledger.finish(candidate.number, "failed", "late")
    assert ledger.report(candidate.number, Progress(curve(0.1), 9.0, "host:2", failure="late"))
    assert ledger.candidates[candidate.number].state == "complete"
    assert ledger.study.trials[candidate.number].state == TrialState.COMPLETE


def test_a_worker_that_takes_over_and_fails_keeps_what_was_trained_before(open_ledger):
    ledger = open_ledger()
    candidate = ledger.ask()
    ledger.report(candidate.number, Progress(curve(0.5, 0.6), 2.0, "host:1"))
    ledger.report(candidate.number, Progress((), 0.0, "host:2", failure="timeout: no progress for 4 s"))
    row = ledger.records()[0]
    assert (row["state"], row["epochs"], row["seconds"]) == ("failed", 2, 2.0)


@pytest.mark.parametrize(
    ("progress", "state", "reason"),
    [
        (
            Progress(curve(0.5), 1.0, "w", failure="non-finite loss at epoch 2"),
            "failed",
            "non-finite loss at epoch 2",
        ),
        (
            Progress((), 0.0, "w", failure="out of memory: 3 GiB", out_of_memory=True),
            "infeasible",
            "out of memory: 3 GiB",
        ),
    ],
)
def test_failures_end_in_their_state_with_the_reason(open_ledger, progress, state, reason):
    ledger = open_ledger()
    candidate = ledger.ask()
    assert ledger.report(candidate.number, progress)
    assert (candidate.state, candidate.reason) == (state, reason)
    assert ledger.study.trials[candidate.number].state == TrialState.FAIL


def test_no_architecture_is_trained_twice_and_the_space_can_be_exhausted(open_ledger, space):
    small = spaces.create(
        "resnet", depth=8, width=4, in_channels=1, input_size=(8, 8), ops=("sum", "aff"), reductions=(2,)
    )
    ledger = open_ledger(space=small, trials=100)
    trained = []
    while (candidate := ledger.ask()) is not None:
        trained.append(candidate.architecture.id)
        finish(ledger, candidate)
    assert small.size() == 8
    assert sorted(trained) == sorted(set(trained))
    assert len(trained) == 8
    assert ledger.exhausted
    assert ledger.remaining() == 0
    assert ledger.count("duplicate") > 0


def test_a_duplicate_copies_the_result_and_costs_nothing(open_ledger, space):
    ledger = open_ledger(trials=3)
    twin = space.uniform("aff", 2)
    ledger.enqueue(spaces.Configuration(twin), "baseline")
    ledger.enqueue(spaces.Configuration(twin), "search")
    first = ledger.ask()
    finish(ledger, first, 0.93)
    other = ledger.ask()
    assert other.architecture != twin
    duplicate = ledger.candidates[1]
    assert (duplicate.state, duplicate.reason) == ("duplicate", "same architecture as candidate 0")
    row = next(row for row in ledger.records() if row["number"] == 1)
    assert (row["accuracy"], row["seconds"]) == (0.93, 0.0)


def test_a_broken_constraint_is_infeasible_and_never_handed_out(open_ledger, space):
    bound = space.cost(space.uniform("sum")).params + 200
    ledger = open_ledger(constraints={"params": bound}, trials=6)
    ledger.enqueue(spaces.Configuration(space.uniform("aff", 2)), "baseline")
    while (candidate := ledger.ask()) is not None:
        assert candidate.params <= bound
        finish(ledger, candidate)
    broken = ledger.candidates[0]
    assert broken.state == "infeasible"
    assert "params" in broken.reason
    assert "exceeds" in broken.reason
    assert ledger.study.trials[0].state == TrialState.FAIL


def test_baselines_come_first_and_are_never_pruned(open_ledger, space):
    ledger = open_ledger(trials=12)
    for architecture in space.baselines():
        ledger.enqueue(spaces.Configuration(architecture), "baseline")
    kinds = []
    for index in range(3):
        candidate = ledger.ask()
        kinds.append((candidate.kind, candidate.architecture.choices[0][1].op))
        hopeless = Progress(curve(0.01), 0.1, "w")
        assert ledger.report(candidate.number, hopeless) is False
        finish(ledger, candidate, 0.9 + index / 100)
    assert kinds == [("baseline", "sum"), ("baseline", "concat"), ("baseline", "aff")]
    assert ledger.ask().kind == "search"


@pytest.mark.parametrize("pruner", ["auto", "median"])
def test_a_baseline_runs_to_its_end_where_others_are_stopped(open_ledger, space, pruner):
    ledger = open_ledger(objectives=("accuracy",), pruner=pruner, trials=30)
    trained = set()
    for index in range(9):
        candidate = ledger.ask()
        trained.add(candidate.architecture)
        start = 0.3 + index / 20
        ledger.report(candidate.number, Progress(curve(start, start + 0.3), 1.0, "host:1", done=True))
    new = (architecture for architecture in space.enumerate() if architecture not in trained)
    stops = []
    for kind in ("search", "baseline"):
        ledger.enqueue(spaces.Configuration(next(new)), kind)
        stops.append(ledger.report(ledger.ask().number, Progress(curve(0.01), 0.1, "w")))
    assert stops == [True, False]


def test_what_cannot_add_to_the_front_is_pruned(open_ledger):
    ledger = open_ledger(trials=30)
    for index in range(8):
        candidate = ledger.ask()
        start = 0.3 + index / 20
        ledger.report(candidate.number, Progress(curve(start, start + 0.3), 1.0, "host:1", done=True))
    hopeless = ledger.ask()
    while hopeless.params < min(c.params for c in ledger.candidates.values() if c.state == "complete"):
        finish(ledger, hopeless)
        hopeless = ledger.ask()
    assert ledger.report(hopeless.number, Progress(curve(0.02), 0.1, "w")) is True
    assert hopeless.state == "pruned"
    assert ledger.study.trials[hopeless.number].state == TrialState.PRUNED
    assert "expected" in hopeless.reason


def test_after_a_kill_the_running_come_first_with_their_number(open_ledger):
    before = open_ledger(trials=6)
    done = before.ask()
    finish(before, done)
    lost = [before.ask(), before.ask()]
    after = open_ledger(trials=6)
    assert after.count("running") == 2
    after.release()
    assert after.count("running") == 0
    assert all(trial.state != TrialState.RUNNING for trial in after.study.trials)
    again = [after.ask(), after.ask()]
    assert [c.number for c in again] == [c.number for c in lost]
    assert [c.architecture for c in again] == [c.architecture for c in lost]
    assert [c.retries for c in again] == [1, 1]
    while again:
        finish(after, again.pop())
        if (candidate := after.ask()) is not None:
            again.append(candidate)
    ids = Counter(c.architecture.id for c in after.candidates.values() if c.state == "complete")
    assert len(ids) == 6
    assert set(ids.values()) == {1}


def test_releasing_reads_the_study_not_once(open_ledger, monkeypatch):
    ledger = open_ledger(trials=6)
    lost = [ledger.ask() for _ in range(4)]
    reads = []
    storage = ledger.study._storage
    real = storage.get_all_trials
    monkeypatch.setattr(storage, "get_all_trials", lambda *args, **more: reads.append(1) or real(*args, **more))
    assert ledger.release() == lost
    assert reads == []
    assert [ledger.ask().number for _ in lost] == [candidate.number for candidate in lost]


def test_a_result_written_but_not_told_is_told_on_resume(open_ledger, monkeypatch):
    before = open_ledger()
    candidate = before.ask()

    def killed(*args, **kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("search.strategy.trials.tell", killed)
        with pytest.raises(KeyboardInterrupt):
            finish(before, candidate, 0.77)
    after = open_ledger()
    assert after.study.trials[candidate.number].state == TrialState.COMPLETE
    assert after.study.trials[candidate.number].values[0] == 0.77


def test_a_proposal_killed_before_it_was_written_is_handed_out_again(open_ledger, space):
    before = open_ledger()
    before.enqueue(spaces.Configuration(space.uniform("aff", 4)), "baseline")
    trial = before.study.ask()
    space.suggest(trial)
    after = open_ledger()
    candidate = after.ask()
    assert (candidate.number, candidate.kind) == (trial.number, "baseline")
    assert candidate.architecture == space.uniform("aff", 4)


def test_random_proposals_do_not_depend_on_an_interruption(open_ledger, tmp_path):
    undisturbed = [c.architecture.id for c in take(open_ledger(trials=6), 6)]
    (tmp_path / "study.journal").unlink()
    first = [c.architecture.id for c in take(open_ledger(trials=6), 3)]
    second = [c.architecture.id for c in take(open_ledger(trials=6), 3)]
    assert first + second == undisturbed


def take(ledger, number):
    taken = []
    for _ in range(number):
        candidate = ledger.ask()
        finish(ledger, candidate)
        taken.append(candidate)
    return taken


def test_a_study_of_another_space_is_refused(open_ledger):
    ledger = open_ledger()
    finish(ledger, ledger.ask())
    other = spaces.create("resnet", depth=14, width=4, in_channels=1, input_size=(8, 8))
    with pytest.raises(RunError, match="another space"):
        open_ledger(space=other)


def test_raising_trials_after_the_end_goes_on(open_ledger):
    ledger = open_ledger(trials=2)
    take(ledger, 2)
    assert ledger.ask() is None
    more = open_ledger(trials=4)
    assert more.remaining() == 2
    assert more.ask() is not None
