"""A study told once more for a wider space: all that it has stays, and everyone learns from it."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

import spaces
from search.strategy import trials as stored
from search.strategy.observations import Observations
from search.strategy.proposals.encoding import Encoding
from search.strategy.samplers import create_sampler
from search.study.opening import create_study, load_study
from search.study.retelling import remove_narrower, retell
from search.training.job import Progress
from spaces import Architecture, SearchSpace

OBJECTIVES = ("accuracy", "params")
WIDE_OPS = ("sum", "aff", "eca", "sk")


def space_of(**choices) -> SearchSpace:
    return spaces.create("resnet", depth=8, width=4, in_channels=1, input_size=(8, 8), **choices)


@pytest.fixture
def narrow() -> SearchSpace:
    return space_of(ops=("sum", "aff"), reductions=(4,))


@pytest.fixture
def wide() -> SearchSpace:
    return space_of(ops=WIDE_OPS, reductions=(1, 2, 4), standing=(4,))


def curve(*accuracies: float) -> tuple[dict[str, float], ...]:
    return tuple({"accuracy": value, "loss": 1 - value} for value in accuracies)


@pytest.fixture
def told(open_ledger, narrow):
    """A ledger with a candidate of every kind: complete, pruned, failed, in training, waiting, queued, retrained."""
    ledger = open_ledger(space=narrow, pruner="none")
    for accuracies in ((0.5, 0.9), (0.5, 0.7)):
        ledger.report(ledger.ask().number, Progress(curve(*accuracies), 2.0, "host:1", done=True))
    ledger.report(ledger.ask().number, Progress(curve(0.4), 1.0, "host:1"))
    ledger.finish(2, "pruned", "stopped by hand")
    ledger.finish(ledger.ask().number, "failed", "an error")
    ledger.report(ledger.ask().number, Progress(curve(0.3), 1.0, "host:1"))
    ledger.release()
    proposed = {one.id for one in (*ledger.all(), *ledger.to_go_on())}
    free = next(one for one in narrow.enumerate() if one.id not in proposed)
    ledger.enqueue(spaces.Configuration(free), "baseline")
    ledger.begin(lambda number: retraining(number, narrow.uniform("sum")))
    ledger.study.set_user_attr("noted", {"by": "hand"})
    ledger.study.set_user_attr(stored.operator_latency("latency"), {"measured": "before"})
    return ledger


def retraining(number: int, architecture: Architecture):
    from reports.candidates.candidate import Candidate

    return Candidate(number, architecture, "retrain", 7, 1, 1, series="retrained", role="finalist", recipe="default")


def opened(path: Path, name: str, space: SearchSpace, sampler: str = "random") -> optuna.Study:
    return load_study(path, None, OBJECTIVES, create_sampler(sampler, space, objectives=OBJECTIVES, seed=0), name)


def widened(study: optuna.Study, path: Path, narrow: SearchSpace, wide: SearchSpace) -> optuna.Study:
    sampler = create_sampler("auto", wide, objectives=OBJECTIVES, seed=0)
    create = partial(create_study, path, None, OBJECTIVES, sampler)
    new, strangers = retell(study, create, narrow, wide)
    assert strangers == 0
    return new


def test_all_trials_stay_what_they_are_but_for_their_parameters(told, narrow, wide, tmp_path):
    new = widened(told.study, tmp_path / "study.journal", narrow, wide)
    assert new.study_name == "fusion-nas (2)"
    states = [trial.state.name for trial in new.trials]
    assert states == ["COMPLETE", "COMPLETE", "PRUNED", "FAIL", "WAITING", "WAITING", "RUNNING"]
    for before, after in zip(told.study.trials, new.trials, strict=True):
        assert before.state == after.state
        assert (before.number, before.values, before.user_attrs) == (after.number, after.values, after.user_attrs)
        assert (before.datetime_start, before.datetime_complete) == (after.datetime_start, after.datetime_complete)
    assert new.user_attrs["noted"] == {"by": "hand"}
    assert stored.operator_latency("latency") not in new.user_attrs
    assert new.trials[0].params == wide.params(told.candidates[0].architecture)
    assert new.trials[6].params == {}


def test_the_candidates_keep_id_and_number_and_none_is_trained_twice(told, narrow, wide, tmp_path, open_ledger):
    before = {number: candidate.id for number, candidate in told.candidates.items() if not candidate.role}
    queued = told.study.trials[5].system_attrs["fixed_params"]
    new = widened(told.study, tmp_path / "study.journal", narrow, wide)
    optuna.delete_study(study_name="fusion-nas", storage=told.study._storage)
    ledger = open_ledger(space=wide, trials=40)
    assert {number: candidate.id for number, candidate in ledger.candidates.items() if not candidate.role} == before
    first, second = ledger.ask(), ledger.ask()
    assert (first.number, first.epochs) == (4, 1)
    assert (second.number, second.kind) == (5, "baseline")
    assert {name.rpartition(".")[0] for name in queued} <= {point.name for point in wide.points}
    trained = [first.id, second.id]
    while len(trained) < 30 and (candidate := ledger.ask()) is not None:
        if not candidate.again:
            trained.append(candidate.id)
        ledger.report(candidate.number, Progress(curve(0.6), 1.0, "host:1", done=True))
    assert len(set(trained)) == len(trained)
    assert not set(trained) & {before[number] for number in (0, 1, 2, 3)}
    assert any("eca" in ledger.candidates[number].architecture.to_json() for number in range(7, 30))
    assert new.study_name == ledger.study.study_name


def test_a_merge_gets_more_resamplers_and_keeps_what_it_had(tmp_path, open_ledger):
    narrow = spaces.create("fpn", num_classes=3, in_channels=1, input_size=(16, 16), width=4, ops=("sum", "aff"))
    wide = SearchSpace(narrow.name, narrow.host, **narrow.selection | {"resamplers": ("bilinear", "nearest")})
    ledger = open_ledger(space=narrow, pruner="none")
    first = ledger.ask()
    ledger.report(first.number, Progress(curve(0.5), 1.0, "host:1", done=True))
    new = widened(ledger.study, tmp_path / "study.journal", narrow, wide)
    optuna.delete_study(study_name="fusion-nas", storage=ledger.study._storage)
    assert {value for name, value in new.trials[0].params.items() if name.endswith(".resampler")} == {"bilinear"}
    again = open_ledger(space=wide, trials=40)
    assert again.candidates[0].id == first.id
    others = [again.ask() for _ in range(8)]
    assert any("nearest" in one.architecture.to_json() for one in others)


def test_every_sampler_learns_from_what_was_told(told, narrow, wide, tmp_path):
    path = tmp_path / "study.journal"
    new = widened(told.study, path, narrow, wide)
    seen = Observations(Encoding(wide))
    seen.update(new, besides=-1)
    assert [(one.number, one.state) for one in seen.ended][:3] == [
        (0, TrialState.COMPLETE),
        (1, TrialState.COMPLETE),
        (2, TrialState.PRUNED),
    ]
    assert [one.number for one in seen.pending] == [4, 5]
    for name in ("auto", "tpe", "nsga2", "gp", "evolution", "local"):
        study = opened(path, new.study_name, wide, name)
        for _ in range(2):
            trial = study.ask()
            while stored.parameters(trial.storage.get_trial(trial._trial_id)) and stored.record(trial) is not None:
                trial = study.ask()
            study.tell(trial, [0.5, float(wide.cost(wide.suggest(trial)).params)])


def test_old_trials_have_all_parameters_of_the_wider_space(told, narrow, wide, tmp_path):
    """Also those of which there was no choice before, as by them importances are worked out."""
    new = widened(told.study, tmp_path / "study.journal", narrow, wide)
    for trial in new.trials[:4]:
        assert {f"{slot.name}.op" for slot in wide.slots} <= set(trial.params)
        ratios = {name: value for name, value in trial.params.items() if name.endswith("aff.r")}
        assert set(ratios.values()) <= {4}


class KilledError(Exception):
    """Stands for a SIGKILL: nothing cleans up behind a retelling."""


def test_a_killed_retelling_loses_nothing_and_leaves_nothing(told, narrow, wide, tmp_path):
    path = tmp_path / "study.journal"
    sampler = optuna.samplers.RandomSampler(seed=0)

    class Killed(optuna.Study):
        def add_trial(self, trial) -> None:
            if len(self.trials) == 3:
                raise KilledError
            super().add_trial(trial)

    def create(name: str) -> optuna.Study:
        study = create_study(path, None, OBJECTIVES, sampler, name)
        return Killed(study_name=name, storage=study._storage, sampler=sampler)

    with pytest.raises(KilledError):
        retell(told.study, create, narrow, wide)
    assert optuna.get_all_study_names(told.study._storage) == ["fusion-nas", "fusion-nas (2)"]
    again = widened(opened(path, "fusion-nas", narrow), path, narrow, wide)
    assert (again.study_name, len(again.trials)) == ("fusion-nas (2)", len(told.study.trials))
    remove_narrower(again)
    assert optuna.get_all_study_names(again._storage) == ["fusion-nas (2)"]


def test_only_what_it_took_the_place_of_is_removed(told, narrow, wide, tmp_path):
    """Another run may have taken the name since, in a database."""
    path = tmp_path / "study.journal"
    new = widened(told.study, path, narrow, wide)
    remove_narrower(new)
    create_study(path, None, OBJECTIVES, optuna.samplers.RandomSampler(seed=0))
    remove_narrower(opened(path, new.study_name, wide))
    assert optuna.get_all_study_names(new._storage) == [new.study_name, "fusion-nas"]
    wider_still = space_of(ops=(*WIDE_OPS, "concat"), reductions=(1, 2, 4), standing=(4,))
    assert widened(new, path, wide, wider_still).study_name == "fusion-nas (3)"


def test_a_database_keeps_all_likewise(told, narrow, wide, tmp_path):
    url = f"sqlite:///{tmp_path / 'studies.db'}"
    sampler = optuna.samplers.RandomSampler(seed=0)
    optuna.copy_study(
        from_study_name="fusion-nas", from_storage=told.study._storage, to_storage=url, to_study_name="a run"
    )
    study = load_study(tmp_path / "none", url, OBJECTIVES, sampler, "a run")
    new, _ = retell(study, partial(create_study, tmp_path / "none", url, OBJECTIVES, sampler), narrow, wide)
    assert [trial.state for trial in new.trials] == [trial.state for trial in told.study.trials]
    assert [stored.parameters(trial) for trial in new.trials[:5]] == [
        wide.params(stored.record(trial).architecture) for trial in told.study.trials[:5]
    ]
    remove_narrower(new)
    assert optuna.get_all_study_names(url) == ["a run (2)"]
