"""Retrainings in the study: handed out beside the search, put down and taken up, never shown to the sampler."""

from __future__ import annotations

from functools import partial

import pytest
from optuna.trial import TrialState

import spaces
from fusion_ops.errors import CandidateError
from reports.candidates import table
from reports.candidates.candidate import RETRAINED
from reports.retrained.participant import Participant
from search.strategy.observations import Observations
from search.strategy.proposals.encoding import Encoding, key
from search.study.participants import ablations, choose_participants
from search.study.planner import FixedPlanner, seed_list
from search.study.retraining import Retraining
from search.training.job import Progress
from search.training.user_objectives import as_number

EPOCHS = {"default": 2, "long": 4}
OBJECTIVES = ("accuracy", "params")


def curve(accuracy: float, epochs: int) -> tuple[dict[str, float], ...]:
    return ({"accuracy": accuracy, "loss": 1 - accuracy},) * epochs


def finish(ledger, candidate, accuracy: float = 0.9, **measured: float) -> None:
    epochs = EPOCHS[candidate.recipe or "default"]
    ledger.report(candidate.number, Progress(curve(accuracy, epochs), 1.0, "h:1", done=True, measured=measured))


def searched(open_ledger, trials: int = 4):
    """A search that has ended."""
    ledger = open_ledger(trials=trials, pruner="none")
    while (candidate := ledger.ask()) is not None:
        finish(ledger, candidate, 0.5 + candidate.number / 50)
    return ledger


def retraining(ledger, *, recipes=("default",), seeds=2, people=None, **settings) -> Retraining:
    people = people or choose_participants(ledger, 1)[0]
    plan = partial(FixedPlanner, recipes=recipes, seeds=seed_list(0, seeds), least=2)
    return Retraining(ledger, people, plan, {name: EPOCHS[name] for name in recipes}, **settings)


def all_trained(ledger, again) -> list:
    done = []
    while (candidate := again.ask()) is not None:
        finish(ledger, candidate, 0.8, test_accuracy=0.75)
        done.append(candidate)
    return done


def test_everyone_is_trained_on_every_seed_and_the_table_has_role_recipe_and_test_measures(open_ledger, space):
    ledger = searched(open_ledger)
    again = retraining(ledger, recipes=("default", "long"))
    before = table.frame(ledger.records(), OBJECTIVES)
    done = all_trained(ledger, again)
    assert len(done) == again.done() == again.most() == 2 * 2 * len(again.participants)
    assert not again.is_left()
    rows = table.frame(ledger.records(), OBJECTIVES)
    there = rows[rows["series"] == RETRAINED]
    assert len(there.groupby(["id", "recipe", "seed"])) == len(there) == len(done)
    assert (there["test_accuracy"] == 0.75).all()
    assert set(there["kind"]) == {"retrain", "control"}
    assert set(there["recipe"]) == {"default", "long"}
    assert not there["on_front"].any()
    assert set(there["seed"]) == set(seed_list(0, 2))
    assert (rows.loc[before.index, "on_front"] == before["on_front"]).all()
    assert rows["test_accuracy"].isna().sum() == len(before)


def test_roles_recipes_and_test_measures_come_back_from_the_table(open_ledger, tmp_path):
    ledger = searched(open_ledger)
    all_trained(ledger, retraining(ledger))
    rows = table.frame(ledger.records(), OBJECTIVES)
    table.write(rows, tmp_path)
    read = table.read(tmp_path)
    assert list(read["role"]) == list(rows["role"])
    assert list(read["recipe"]) == list(rows["recipe"])
    assert read["test_accuracy"].dtype == "float64"
    assert read["test_accuracy"].equals(rows["test_accuracy"])
    assert list(read.columns)[: list(read.columns).index("role")] == list(table.COLUMNS)[: table.COLUMNS.index("role")]


def test_a_control_of_another_space_is_kept_and_read_again(open_ledger, space):
    ledger = searched(open_ledger)
    all_trained(ledger, retraining(ledger))
    foreign = [one for one in open_ledger(trials=4).candidates.values() if one.architecture.space != space.ref]
    assert foreign
    for one in foreign:
        cost = spaces.from_ref(one.architecture.space).cost(one.architecture)
        assert (one.params, one.flops) == (cost.params, cost.flops)


def test_the_sampler_learns_nothing_of_them(open_ledger, space):
    ledger = searched(open_ledger)
    observed = Observations(Encoding(space))
    observed.update(ledger.study, besides=-1)
    seen, ended = len(observed.seen), len(observed.ended)
    codes = {key(one.code) for one in (*observed.ended, *observed.pending)}
    assert len(codes) == seen
    again = retraining(ledger)
    waiting = again.ask()
    all_trained(ledger, again)
    afresh = Observations(Encoding(space))
    afresh.update(ledger.study, besides=-1)
    assert len(afresh.seen) == seen
    assert all(one in afresh.seen for one in codes)
    assert (len(afresh.ended), afresh.pending) == (ended, [])
    assert waiting.state == "running"
    states = [trial.state for trial in ledger.study.trials[ended:]]
    assert set(states) == {TrialState.FAIL, TrialState.RUNNING}
    assert all(trial.params == {} for trial in ledger.study.trials[ended:])


def test_a_restarted_driver_goes_on_with_what_was_in_training(open_ledger):
    ledger = searched(open_ledger)
    again = retraining(ledger)
    first, second = again.ask(), again.ask()
    finish(ledger, first)
    ledger.report(second.number, Progress(curve(0.4, 1), 0.5, "h:1"))
    after = open_ledger(trials=4)
    assert after.release()[0].number == second.number
    assert all(trial.state != TrialState.RUNNING for trial in after.study.trials)
    later = retraining(after)
    assert later.is_left()
    continued = later.ask()
    assert (continued.number, continued.retries) == (second.number, 1)
    finish(after, continued)
    all_trained(after, later)
    known = [(one.id, one.recipe, one.seed) for one in later.candidates()]
    assert len(known) == len(set(known)) == later.most()


def test_a_retraining_that_waits_is_no_part_of_the_search(open_ledger):
    ledger = searched(open_ledger)
    waiting = retraining(ledger).ask()
    ledger.release()
    assert not ledger.unfinished()
    more = open_ledger(trials=6)
    assert (more.remaining(), more.unfinished()) == (2, True)
    proposed = []
    while (candidate := more.ask()) is not None:
        proposed.append(candidate)
        finish(more, candidate)
    assert len(proposed) == 2
    assert not any(one.role for one in proposed)
    assert not more.unfinished()
    more.release()
    assert [one.number for one in more.to_go_on()] == [waiting.number]
    assert retraining(open_ledger(trials=6)).ask().number == waiting.number


def test_a_retraining_that_a_killed_search_held_aside_is_released(open_ledger):
    ledger = searched(open_ledger)
    waiting = retraining(ledger).ask()
    ledger.release()
    killed = open_ledger(trials=6)
    killed.ask()
    after = open_ledger(trials=6)
    after.release()
    assert waiting.number in [one.number for one in after.to_go_on()]
    assert all(trial.state != TrialState.RUNNING for trial in after.study.trials)


def test_what_the_search_waits_with_is_left_alone(open_ledger):
    ledger = open_ledger(trials=4, pruner="none")
    for _ in range(3):
        finish(ledger, ledger.ask())
    held = ledger.ask()
    ledger.release()
    people = [Participant(ledger.space.uniform("sum"), (("original", ""),))]
    done = all_trained(ledger, retraining(ledger, people=people))
    assert held.number not in [one.number for one in done]
    assert [one.number for one in ledger.to_go_on()] == [held.number]


def test_an_equal_retraining_is_a_repeat_and_nothing_else_is(open_ledger, space):
    ledger = searched(open_ledger)
    people = [Participant(space.uniform("aff", 2), (("finalist", ""),))]
    first = all_trained(ledger, retraining(ledger, people=people))[0]

    class Forgetful:
        def next(self, done, running):
            return [one.training for one in done[:1]] if len(done) < 3 else []

        def most(self) -> int:
            return 3

    again = Retraining(ledger, people, lambda _: Forgetful(), EPOCHS)
    assert again.ask() is None
    last = again.candidates()[-1]
    assert (last.state, last.reason) == (
        "duplicate",
        f"same architecture, seed and recipe as candidate {first.number}",
    )
    assert last.measured == first.measured


def test_a_training_of_the_search_counts_for_no_retraining(open_ledger, space):
    ledger = open_ledger(trials=1, pruner="none")
    ledger.enqueue(spaces.Configuration(space.uniform("sum")), "baseline")
    finish(ledger, ledger.ask())
    people = [Participant(space.uniform("sum"), (("original", ""),))]
    again = Retraining(
        ledger, people, partial(FixedPlanner, recipes=("default",), seeds=(ledger.seed,), least=1), EPOCHS
    )
    assert again.ask().state == "running"


def test_a_retraining_counts_for_no_control_of_the_search(open_ledger, space):
    ledger = searched(open_ledger)
    trained = {one.id for one in ledger.all()}
    other = next(one for one in space.enumerate() if one.id not in trained)
    all_trained(ledger, retraining(ledger, people=[Participant(other, (("uniform", "concat"),))]))
    ledger.queue_controls([(spaces.Configuration(other), "random")])
    control = ledger.ask()
    assert control is not None
    assert (control.architecture, control.state, control.role) == (other, "running", "")


def test_a_sampler_proposes_nothing_for_what_a_killed_driver_left(open_ledger):
    ledger = searched(open_ledger)
    left = retraining(ledger).ask()
    after = open_ledger(trials=6)
    assert after.candidates[left.number].state == "running"
    assert len(after.study.sampler.observations.seen) == 0


def test_no_training_begins_that_would_lead_beyond_the_epochs(open_ledger):
    ledger = searched(open_ledger)
    again = retraining(ledger, most_epochs=5)
    done = all_trained(ledger, again)
    assert [one.epochs for one in done] == [2, 2]
    assert again.limited
    assert not again.is_left()
    assert retraining(ledger, most_epochs=6).is_left()
    assert retraining(ledger, most_epochs=5).epochs_ahead() <= 1


def test_the_winner_is_set_back_point_by_point_once_all_have_ended(open_ledger, space):
    ledger = searched(open_ledger)
    joined = []

    def ablate(winner: Participant):
        joined.append(winner)
        return (*choose_participants(ledger, 1)[0], *ablations(ledger.joint, winner))

    again = retraining(ledger, ablate=ablate)
    before = again.most()
    first = again.ask()
    assert not joined
    finish(ledger, first)
    all_trained(ledger, again)
    assert [one.id for one in joined] == [again.winner().id]
    apart = [one for one in again.participants if one.role == "ablation"]
    assert again.done() == again.most() == before + 2 * len(apart)
    assert sum(one.role == "ablation" for one in again.candidates()) == 2 * len(apart)


def test_they_run_to_their_end_under_any_pruner(open_ledger):
    ledger = open_ledger(trials=9, pruner="auto")
    while (candidate := ledger.ask()) is not None:
        finish(ledger, candidate, 0.6 + candidate.number / 50)
    again = retraining(ledger)
    candidate = again.ask()
    assert ledger.report(candidate.number, Progress(curve(0.01, 1), 0.1, "h:1")) is False
    assert candidate.state == "running"


@pytest.mark.parametrize("states", [("failed",), ("failed", "infeasible")])
def test_what_fails_is_not_trained_again(open_ledger, states):
    ledger = searched(open_ledger)
    again = retraining(ledger)
    for state in states:
        candidate = again.ask()
        ledger.finish(candidate.number, state, "diverged")
    all_trained(ledger, again)
    assert again.done() == again.most()
    assert [one.state for one in again.candidates()].count("complete") == again.most() - len(states)


def reason_of(what: str) -> str:
    """Why a training failed whose user-defined function returned NaN."""
    with pytest.raises(CandidateError) as caught:
        as_number("own:f", float("nan"), what=what)
    return str(caught.value)


@pytest.mark.parametrize("divergence", ["non-finite loss at epoch 1", reason_of("number")])
def test_a_new_call_trains_again_what_failed_but_not_what_diverged(open_ledger, divergence):
    ledger = searched(open_ledger)
    again = retraining(ledger)
    reasons = [("failed", "timeout: 3 s"), ("failed", reason_of("cost")), ("infeasible", "out of memory: 3 GiB")]
    lost = [(again.ask(), state, reason) for state, reason in reasons]
    diverged = again.ask()
    for candidate, state, reason in lost:
        ledger.finish(candidate.number, state, reason)
    ledger.finish(diverged.number, "failed", divergence)
    all_trained(ledger, again)
    assert not again.is_left()

    anew = retraining(ledger)
    assert anew.is_left()
    done = all_trained(ledger, anew)
    assert [(one.id, one.seed) for one in done] == [(one.id, one.seed) for one, _, _ in lost]
    assert not anew.is_left()


def test_the_planner_is_told_what_diverged(open_ledger):
    ledger = searched(open_ledger)
    again = retraining(ledger)
    reasons = ["non-finite loss at epoch 1", reason_of("number"), "timeout: 3 s", "out of memory: 3 GiB"]
    for reason in reasons:
        ledger.finish(again.ask().number, "failed", reason)
    finish(ledger, again.ask(), 0.8)
    assert [again._result(one).diverged for one in again.candidates()] == [True, True, False, False, False]


def test_a_failure_that_all_of_a_recipe_share_ends_it_though_the_search_succeeded(open_ledger):
    ledger = open_ledger(trials=4, pruner="none", same_failures=2)
    while (candidate := ledger.ask()) is not None:
        finish(ledger, candidate, 0.5 + candidate.number / 50)
    again = retraining(ledger, recipes=("default", "long"))
    failed = 0
    while not again.failure:
        candidate = again.ask()
        if candidate.recipe == "default":
            finish(ledger, candidate, 0.8)
        else:
            ledger.finish(candidate.number, "failed", f"timeout: {candidate.number} s")
            failed += 1
    assert failed == 2
