"""`create_pruner`, `report` and `should_prune` in anyone's own Optuna study, on one objective and on several."""

from __future__ import annotations

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState

import search
import spaces
from fusion_ops.errors import SpecError

STOCK = ("median", "percentile", "asha", "hyperband", "wilcoxon", "patient")


@pytest.fixture(scope="module")
def space():
    return spaces.create("resnet", depth=20, width=16, num_classes=10, in_channels=3)


@pytest.fixture(autouse=True)
def quiet():
    optuna.logging.set_verbosity(optuna.logging.WARNING)


def accuracy(number: int, epoch: int, epochs: int) -> float:
    rng = np.random.default_rng([number, epoch])
    end = np.random.default_rng(number).uniform(0.5, 0.9)
    return float(end * (1 - 0.5 ** (8 * epoch / epochs)) + rng.normal(0, 0.005))


def several(space, pruner="auto", seed=0):
    objectives = ("accuracy", "params")
    return optuna.create_study(
        directions=["maximize", "minimize"],
        sampler=search.create_sampler("random", space, objectives=objectives, seed=seed),
        pruner=search.create_pruner(pruner, space, objectives=objectives, epochs=8, seed=seed),
    )


def drive(study, space, trials: int, epochs: int = 8, fall: float = 0.0) -> list[int]:
    """Train as a user would; return the epochs that each candidate was trained."""
    spent = []
    for _ in range(trials):
        trial = study.ask()
        architecture = space.suggest(trial)
        for epoch in range(1, epochs + 1):
            value = accuracy(trial.number, epoch, epochs) - fall * epoch * (trial.number % 2)
            search.report(trial, epoch=epoch, accuracy=value)
            if search.should_prune(trial):
                study.tell(trial, state=TrialState.PRUNED)
                break
        else:
            costs = [] if len(study.directions) == 1 else [space.cost(architecture).params]
            study.tell(trial, [value, *costs])
        spent.append(epoch)
    return spent


def test_the_example_of_the_design(space):
    study = optuna.create_study(
        directions=["maximize", "minimize"],
        sampler=search.create_sampler("auto", space, objectives=("accuracy", "params"), seed=0),
        pruner=search.create_pruner("auto", space, objectives=("accuracy", "params"), epochs=8, seed=0),
    )
    trial = study.ask()
    arch = space.suggest(trial)
    search.report(trial, epoch=1, accuracy=0.81)
    assert search.should_prune(trial) is False
    study.tell(trial, [0.81, space.cost(arch).params])
    assert isinstance(study.pruner, optuna.pruners.BasePruner)


def test_several_objectives_are_pruned_and_no_intermediate_value_is_written(space):
    study = several(space)
    spent = drive(study, space, 60)
    states = [trial.state for trial in study.trials]
    assert states.count(TrialState.PRUNED) > 20
    assert all(epochs == 8 for epochs in spent[:8])
    assert all(trial.intermediate_values == {} for trial in study.trials)
    assert study.trials[0].user_attrs["curve:1"] == {"accuracy": accuracy(0, 1, 8)}
    audited = [trial for trial in study.trials if "audit" in trial.user_attrs]
    assert audited
    assert all(trial.state == TrialState.COMPLETE for trial in audited)
    assert len(study.best_trials) > 0


def test_the_same_seed_makes_the_same_decisions_and_a_new_pruner_goes_on_with_them(space):
    whole = drive(several(space), space, 40)
    assert drive(several(space), space, 40) == whole
    study = several(space)
    first = drive(study, space, 25)
    objectives = ("accuracy", "params")
    study.pruner = search.create_pruner("auto", space, objectives=objectives, epochs=8, seed=0)
    assert first + drive(study, space, 15) == whole


def test_a_new_pruner_learns_in_the_order_in_which_parallel_trainings_ended(space):
    """What a prediction rests on is a number of the first that ended."""
    study = several(space)
    at_work = []
    for _ in range(30):
        trial = study.ask()
        at_work.append((trial, space.cost(space.suggest(trial)).params))
        search.report(trial, epoch=1, accuracy=accuracy(trial.number, 1, 8))
        search.should_prune(trial)
        if len(at_work) == 4:
            ended, params = at_work.pop(trial.number % 3)
            study.tell(ended, [accuracy(ended.number, 8, 8), params])
    old, new = study.pruner, several(space).pruner
    for pruner in (old, new):
        pruner.prune(study, study.trials[at_work[0][0].number])
    learnt = [[curve.number for curve in pruner._rule.history._curves] for pruner in (old, new)]
    assert learnt[0] == learnt[1] != sorted(learnt[0])


def test_epochs_without_a_report_are_no_peers(space):
    study = several(space)
    for _ in range(10):
        trial = study.ask()
        space.suggest(trial)
        study.tell(trial, [0.9, 1.0])
    trial = study.ask()
    space.suggest(trial)
    search.report(trial, epoch=1, accuracy=0.0)
    assert search.should_prune(trial) is False


@pytest.mark.parametrize("name", [*STOCK, "auto", "pareto", "none"])
def test_one_objective_uses_optunas_own_report(space, name):
    study = optuna.create_study(
        direction="maximize",
        sampler=search.create_sampler("random", space, objectives=("accuracy",), seed=0),
        pruner=search.create_pruner(name, space, objectives=("accuracy",), epochs=8, seed=0),
    )
    spent = drive(study, space, 25, fall=0.1)
    assert study.trials[0].intermediate_values == {epoch: accuracy(0, epoch, 8) for epoch in range(1, spent[0] + 1)}
    stopped = sum(trial.state == TrialState.PRUNED for trial in study.trials)
    assert (stopped == 0) == (name == "none")


def test_a_pruner_of_one_value_is_refused_where_there_are_several(space):
    study = several(space)
    study.pruner = optuna.pruners.MedianPruner()
    trial = study.ask()
    search.report(trial, epoch=1, accuracy=0.5)
    with pytest.raises(SpecError, match="MedianPruner compares one value, but the study has 2 objectives"):
        search.should_prune(trial)
    study.pruner = optuna.pruners.NopPruner()
    assert search.should_prune(trial) is False


@pytest.mark.parametrize(
    ("epoch", "measures", "says"),
    [
        (0, {"accuracy": 0.5}, "`epoch` must be a whole number of at least 1; got 0"),
        (1.0, {"accuracy": 0.5}, "`epoch` must be a whole number"),
        (1, {"loss": 0.5}, "`report` needs accuracy; got loss"),
        (1, {}, "`report` needs accuracy; got none"),
        (1, {"acuracy": 0.5}, "`acuracy` is no measure"),
        (1, {"accuracy": float("nan")}, "`accuracy` must be a finite number; got nan"),
        (1, {"accuracy": "high"}, "`accuracy` must be a finite number; got 'high'"),
    ],
)
def test_a_bad_report_says_what_is_wrong(space, epoch, measures, says):
    trial = several(space).ask()
    with pytest.raises(SpecError) as caught:
        search.report(trial, epoch=epoch, **measures)
    assert says in str(caught.value)


def test_one_objective_takes_one_measure(space):
    study = optuna.create_study(direction="maximize", pruner=optuna.pruners.MedianPruner())
    trial = study.ask()
    with pytest.raises(SpecError, match="takes that one alone; got accuracy, loss"):
        search.report(trial, epoch=1, accuracy=0.5, loss=0.1)


def test_a_trial_without_an_architecture_is_told_so(space):
    study = several(space)
    drive(study, space, 8)
    trial = study.ask({})
    search.report(trial, epoch=1, accuracy=0.5)
    with pytest.raises(SpecError, match=r"space.suggest\(trial\)"):
        search.should_prune(trial)
