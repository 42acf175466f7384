"""Where many are in training, proposals are picked together, and what is read and kept stays little."""

from __future__ import annotations

import warnings

import numpy as np
import optuna
import pytest
from optuna.search_space import IntersectionSearchSpace
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState

import search
import spaces
from reports.fronts.dominance import non_dominated
from search.strategy import observations
from search.strategy.endings import Endings
from search.strategy.observations import Observation, Observations
from search.strategy.proposals.encoding import Encoding, key
from search.strategy.samplers import auto
from search.strategy.samplers.crowd import CROWD, picked, proposed_at_once
from search.strategy.shared_parameters import SharedParameters
from search.strategy.surrogate.features import Features
from search.strategy.surrogate.surrogate import Posterior, Surrogate
from search.study.journal import Journal
from search.study.long_storage import LongStorage

DIRECTIONS = ["maximize", "minimize"]


@pytest.fixture(scope="module")
def large():
    return spaces.create("resnet", depth=26, width=4, num_classes=10, in_channels=1, input_size=(8, 8))


def test_as_many_at_once_as_are_in_training() -> None:
    crowds = (0, 1, CROWD, 2 * CROWD - 1, 2 * CROWD, 2 * CROWD + 15, 2 * CROWD + 16, 10_000)
    assert [proposed_at_once(count) for count in crowds] == [1, 1, 1, 1, 2, 2, 3, 64]


def test_what_is_picked_together_is_not_the_same_thing_twice(large) -> None:
    """Where all promise the same, one of eight equal networks tells what the others are worth."""
    encoding, rng = Encoding(large), np.random.default_rng(0)
    codes = encoding.draw(rng, 60)
    surrogate = Surrogate(Features(encoding), codes, rng.normal(0.0, 0.1, 60), np.zeros(60), rng)
    twins = np.repeat(encoding.draw(rng, 1), 8, axis=0)
    others = encoding.draw(rng, 8)
    choices = np.concatenate([twins, others])
    costs, front = np.zeros((16, 0)), np.array([[0.0]])

    def gains(seen: Posterior, there: np.ndarray) -> np.ndarray:
        return seen.weights @ seen.deviation

    chosen, gain = picked(gains, surrogate, choices, costs, front, 4)
    assert len(set(chosen)) == 4
    assert gain > 0
    assert sum(index < 8 for index in chosen) <= 2


def crowded(space, in_training: int) -> tuple[optuna.Study, list[optuna.Trial]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study = optuna.create_study(
            directions=DIRECTIONS, sampler=search.create_sampler("auto", space), pruner=optuna.pruners.NopPruner()
        )
    rng = np.random.default_rng(0)
    for _ in range(40):
        trial = study.ask()
        chosen = space.suggest(trial)
        study.tell(trial, [float(rng.uniform(0.5, 0.9)), float(space.cost(chosen).params)])
    return study, [_asked(study, space) for _ in range(in_training)]


def _asked(study: optuna.Study, space) -> optuna.Trial:
    trial = study.ask()
    space.suggest(trial)
    return trial


def test_a_crowd_gets_different_tasks_and_few_looks(large, monkeypatch) -> None:
    looks = []
    real = auto.AutoSampler._most_promising
    monkeypatch.setattr(auto.AutoSampler, "_most_promising", lambda *args: looks.append(args[2]) or real(*args))
    study, trials = crowded(large, 5 * CROWD)
    codes = {key(Encoding(large).decode(trial.params)) for trial in trials}
    assert len(codes) == len(trials)
    assert looks[: 2 * CROWD] == [1] * (2 * CROWD)
    assert looks == sorted(looks)
    assert 8 < max(looks) <= proposed_at_once(5 * CROWD)
    assert sum(count > 1 for count in looks) < CROWD
    # With fewer in training, each proposal is a look of its own again.
    for trial in trials[CROWD:]:
        study.tell(trial, state=TrialState.FAIL)
    looks.clear()
    _asked(study, large)
    assert looks == [1]


@pytest.mark.parametrize("storage", ["memory", "journal"])
def test_endings_are_those_of_a_look_at_each(tmp_path, storage) -> None:
    kept = InMemoryStorage() if storage == "memory" else LongStorage(Journal(tmp_path / "study.journal"), 5)
    study = optuna.create_study(storage=kept, directions=DIRECTIONS)
    endings, shared = Endings(study), SharedParameters()
    theirs = IntersectionSearchSpace(include_pruned=True)
    rng, running, seen = np.random.default_rng(0), [], []
    for step in range(80):
        trial = study.ask()
        trial.suggest_categorical("op", ["sum", "aff"])
        trial.suggest_float("lr", 0.1, 1.0 if step < 40 else 2.0)
        if rng.random() < 0.5:
            trial.suggest_int("r", 2, 8)
        running.append(trial)
        for _ in range(int(rng.integers(0, 3))):
            if running:
                ended = running.pop(int(rng.integers(len(running))))
                state = [TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL][int(rng.integers(3))]
                study.tell(ended, [0.5, 1.0] if state == TrialState.COMPLETE else None, state=state)
        if rng.random() < 0.3:
            seen += [one.number for one in endings.update()]
            every = study.get_trials(deepcopy=False)
            assert sorted(seen) == [one.number for one in every if one.state.is_finished()]
            assert list(endings.open) == [one.number for one in every if not one.state.is_finished()]
            assert [one.number for one in endings.trials(endings.open)] == list(endings.open)
            assert shared.of(study) == theirs.calculate(study)
    assert len(seen) == len(set(seen)) > 30


def test_of_a_long_study_a_part_is_remembered(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(observations, "MOST", 16)
    monkeypatch.setattr(observations, "MOST_STOPPED", 4)
    space = spaces.create("resnet", depth=8, width=4, num_classes=10, in_channels=1, input_size=(8, 8))
    study = optuna.create_study(directions=DIRECTIONS, sampler=optuna.samplers.RandomSampler(seed=0))
    seen, rng = Observations(Encoding(space)), np.random.default_rng(0)
    every: list[Observation] = []
    for number in range(200):
        trial = study.ask()
        params = float(space.cost(space.suggest(trial)).params)
        stopped = number % 2
        state = TrialState.PRUNED if stopped else TrialState.COMPLETE
        study.tell(trial, None if stopped else [float(rng.uniform()), params], state=state)
        before = seen.count
        seen.update(study, besides=-1)
        every += seen.since(before)
        assert len(seen.ended) < 32
    assert (seen.count, seen.completed, len(every)) == (200, 100, 200)
    kept = {one.number for one in seen.ended}
    assert [one.number for one in seen.ended] == sorted(kept)
    assert {199, 198, 197, 196} <= kept
    values = np.array([one.values for one in every if one.values is not None])
    front = {
        one.number
        for one, on in zip([e for e in every if e.values is not None], non_dominated(values), strict=True)
        if on
    }
    assert front <= kept
    assert len(seen.stopped) <= 4
    assert len(seen.seen) == len({key(one.code) for one in every})
