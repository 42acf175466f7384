"""A long study has in memory what it needs, and everything is there whenever it is asked for."""

from __future__ import annotations

import copy
from pathlib import Path

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from search.strategy.trials import put_back
from search.study import long_storage
from search.study.journal import Journal
from search.study.long_storage import LongStorage
from search.study.parked import Parked

DIRECTIONS = ["maximize", "minimize"]
ENDS = [TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL]


def told(study: optuna.Study, number: int) -> None:
    trial = study.ask()
    trial.suggest_categorical("op", ["sum", "aff"])
    trial.suggest_float("lr", 0.1, 1.0)
    trial.set_user_attr("curve", [0.5, number])
    state = ENDS[number % 3]
    study.tell(trial, [0.5, float(number)] if state == TrialState.COMPLETE else None, state=state)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(long_storage, "FIRST", 2)
    return tmp_path / "study.journal"


def studies(path: Path) -> tuple[optuna.Study, optuna.Study]:
    """Return one study twice, as `LongStorage` has it and as Optuna does."""
    mine = optuna.create_study(storage=LongStorage(Journal(path), 3), study_name="a", directions=DIRECTIONS)
    for number in range(12):
        told(mine, number)
    return mine, optuna.load_study(storage=JournalStorage(JournalFileBackend(str(path))), study_name="a")


def test_parked_trials_are_what_they_were(path: Path) -> None:
    mine, stock = studies(path)
    there = mine.get_trials(deepcopy=False)
    assert [isinstance(trial, Parked) for trial in there] == [False] * 2 + [True] * 7 + [False] * 3
    assert copy.deepcopy(there) == stock.trials
    assert [copy.copy(trial) for trial in there] == stock.trials
    assert [trial.params for trial in there] == [trial.params for trial in stock.trials]
    assert [trial.user_attrs for trial in there] == [trial.user_attrs for trial in stock.trials]
    assert [trial.number for trial in mine.best_trials] == [trial.number for trial in stock.best_trials]
    with pytest.raises(AttributeError):
        _ = there[5].unheard_of


def test_a_study_that_is_opened_again_is_parked_alike(path: Path) -> None:
    _, stock = studies(path)
    again = optuna.load_study(storage=LongStorage(Journal(path), 3), study_name="a")
    assert sum(isinstance(trial, Parked) for trial in again.get_trials(deepcopy=False)) == 7
    assert again.trials == stock.trials


def test_trials_are_there_by_id_wherever_they_lie(path: Path) -> None:
    mine, stock = studies(path)
    trials, ids = mine._storage._replay_result._trials, mine._storage._replay_result._trial_id_to_study_id
    assert (len(trials), sorted(trials), list(ids), len(ids)) == (12, list(range(12)), list(range(12)), 12)
    assert [trial_id in trials for trial_id in (-1, 0, 5, 11, 12)] == [False, True, True, True, False]
    assert [trial_id in ids for trial_id in (-1, 0, 5, 11, 12)] == [False, True, True, True, False]
    for known in (trials, ids):
        assert known.get(12) is known.get(-1) is None
        with pytest.raises(KeyError):
            _ = known[12]
    trials[5] = copy.copy(trials[5])
    assert not isinstance(trials[5], Parked)
    assert (len(trials), trials[5]) == (12, stock.trials[5])
    del trials[6], ids[6]
    assert (6 in trials, 6 in ids, len(trials), len(ids)) == (False, False, 11, 11)


def test_what_reports_and_optuna_itself_have_said_is_at_hand(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = optuna.create_study(storage=LongStorage(Journal(path), 1), study_name="b")
    for number in range(6):
        mine.enqueue_trial({"lr": 0.5})
        trial = mine.ask()
        trial.suggest_float("lr", 0.1, 1.0)
        trial.report(float(number), step=1)
        mine.tell(trial, 0.5)
    stock = optuna.load_study(storage=JournalStorage(JournalFileBackend(str(path))), study_name="b")
    monkeypatch.setattr("search.study.parked.Park.get", None)
    there = mine.get_trials(deepcopy=False)
    assert [isinstance(trial, Parked) for trial in there] == [False] * 2 + [True] * 3 + [False]
    for mines, stocks in zip(there, stock.trials, strict=True):
        assert (mines.intermediate_values, mines.system_attrs) == (stocks.intermediate_values, stocks.system_attrs)
        assert (mines.state, mines.number) == (stocks.state, stocks.number)


def test_what_waits_and_what_is_in_training_is_found(path: Path) -> None:
    mine, _ = studies(path)
    mine.enqueue_trial({"op": "aff"})
    left = mine.ask()
    mine.enqueue_trial({"op": "sum"})
    assert left.suggest_categorical("op", ["sum", "aff"]) == "aff"
    by_state = {state: [t.number for t in mine.get_trials(deepcopy=False, states=(state,))] for state in TrialState}
    assert (by_state[TrialState.RUNNING], by_state[TrialState.WAITING]) == ([12], [13])
    assert by_state[TrialState.PRUNED] == [1, 4, 7, 10]


def test_what_waits_is_what_optuna_says_whatever_becomes_of_it(path: Path) -> None:
    mine, _ = studies(path)
    other = optuna.create_study(storage=mine._storage, study_name="b", directions=DIRECTIONS)
    other.enqueue_trial({"op": "aff"})
    for lr in (0.2, 0.3, 0.4):
        mine.enqueue_trial({"lr": lr})
    first, _, third = (mine.ask() for _ in range(3))
    put_back(first)
    mine.tell(third, state=TrialState.FAIL)
    again = optuna.load_study(storage=LongStorage(Journal(path), 3), study_name="a")
    stock = optuna.load_study(storage=JournalStorage(JournalFileBackend(str(path))), study_name="a")
    for states in ((TrialState.WAITING,), (TrialState.RUNNING, TrialState.WAITING), (TrialState.RUNNING,), ()):
        wanted = [trial.number for trial in stock.get_trials(states=states)]
        for study in (mine, again):
            assert [trial.number for trial in study.get_trials(deepcopy=False, states=states)] == wanted
    assert [trial.number for trial in again.get_trials(states=(TrialState.WAITING,))] == [12]


def test_the_order_of_the_ends_is_known(path: Path) -> None:
    mine, _ = studies(path)
    storage = mine._storage
    first, second = mine.ask(), mine.ask()
    mine.tell(second, state=TrialState.FAIL)
    mine.tell(first, state=TrialState.FAIL)
    assert [trial.number for trial in storage.ended_after(0, 11)] == [11, 13, 12]
    assert [trial.number for trial in storage.trials_from(0, 12)] == [12, 13]
    assert storage.get_n_trials(0) == 14


def test_another_distribution_is_refused_as_optuna_does(path: Path) -> None:
    mine, _ = studies(path)
    with pytest.raises(ValueError, match="dynamic value space"):
        mine.ask().suggest_categorical("op", ["sum", "iaff"])
    trial = mine.ask()
    assert 0.5 <= trial.suggest_float("lr", 0.5, 1.0) <= 1.0
    shared = {id(one.distributions["op"]) for one in mine.get_trials(deepcopy=False)[-5:-2]}
    assert len(shared) == 1


def test_what_another_process_appends_is_read(path: Path) -> None:
    mine, stock = studies(path)
    told(stock, 0)
    told(mine, 0)
    assert [len(study.trials) for study in (mine, stock)] == [14, 14]


def test_a_full_disk_keeps_trials_in_memory(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("search.study.parked.os.pwrite", full)
    mine, stock = studies(path)
    assert not any(isinstance(trial, Parked) for trial in mine.get_trials(deepcopy=False))
    assert mine.trials == stock.trials
