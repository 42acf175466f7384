"""The ledger's early stops, audits, constraints, stop rule, and what the search is compared with."""

from __future__ import annotations

import numpy as np
import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.trial import TrialState

import spaces
from fusion_ops.errors import Infeasible
from reports.candidates import table
from search.strategy.pruners import ParetoPruner
from search.strategy.pruners.rule import ParetoRule
from search.strategy.samplers import create_sampler
from search.study.bounds import broken, require_reachable
from search.study.controls import one_epoch_controls, random_controls, top_controls
from search.study.ledger import Ledger
from search.study.stall import Stall
from search.training.job import Progress
from spaces import SearchSpace


def curve(*accuracies: float) -> tuple[dict[str, float], ...]:
    return tuple({"accuracy": value, "loss": 1 - value} for value in accuracies)


def finish(ledger, candidate, *accuracies: float) -> bool:
    return ledger.report(candidate.number, Progress(curve(*accuracies), 1.0, "host:1", done=True))


def train_some(ledger, count: int) -> None:
    for index in range(count):
        finish(ledger, ledger.ask(), 0.5 + index / 100, 0.8 + index / 100)


@pytest.mark.parametrize(("share", "state"), [(0.0, "pruned"), (1.0, "complete")])
def test_what_is_audited_runs_on_and_the_table_says_so(open_ledger, space, share, state):
    made = ParetoPruner(space, ParetoRule(("accuracy",), epochs=2, share=share))
    ledger = open_ledger(made=made, objectives=("accuracy",))
    train_some(ledger, 8)
    candidate = ledger.ask()
    stopped = ledger.report(candidate.number, Progress(curve(0.3), 0.5, "host:1"))
    assert stopped is (state == "pruned")
    if not stopped:
        assert not ledger.report(candidate.number, Progress(curve(0.3), 0.5, "host:1"))
        finish(ledger, candidate, 0.3, 0.9)
    row = ledger.records()[-1]
    assert row["state"] == state
    assert "expected accuracy" in row["reason"]
    assert row["audit"] == (None if stopped else 1)
    frame = table.frame(ledger.records(), ("accuracy",))
    assert frame["audit"].notna().sum() == (0 if stopped else 1)
    again = open_ledger(objectives=("accuracy",))
    assert again.candidates[candidate.number].audit == row["audit"]


@pytest.mark.parametrize(("least", "stopped_at"), [(1, 1), (2, 2), (4, None)])
def test_nothing_is_stopped_before_the_least_epochs(open_ledger, least, stopped_at):
    """Successive halving lets the first one go on, and would stop the second one wherever it is asked first."""
    ledger = open_ledger(pruner="asha", objectives=("accuracy",), min_epochs=least)
    for values, expected in (((0.5, 0.6, 0.7), None), ((0.4, 0.45, 0.5), stopped_at)):
        candidate = ledger.ask()
        stops = [
            ledger.report(candidate.number, Progress(curve(*values[:epoch]), 1.0, "host:1")) for epoch in (1, 2, 3)
        ]
        assert (stops.index(True) + 1 if True in stops else None) == expected


def test_optunas_pruner_on_one_objective_reads_the_study(open_ledger):
    ledger = open_ledger(pruner="median", objectives=("accuracy",), trials=30)
    train_some(ledger, 6)
    good, bad = ledger.ask(), ledger.ask()
    assert ledger.report(good.number, Progress(curve(0.9), 0.1, "w")) is False
    assert ledger.report(bad.number, Progress(curve(0.1), 0.1, "w")) is True
    assert bad.reason == "MedianPruner at epoch 1: accuracy 0.1000"
    assert ledger.study.trials[bad.number].state == TrialState.PRUNED
    assert ledger.study.trials[0].intermediate_values == {1: 0.5, 2: 0.8}


def test_several_objectives_never_get_intermediate_values(open_ledger):
    ledger = open_ledger(trials=30)
    train_some(ledger, 9)
    ledger.report(ledger.ask().number, Progress(curve(0.1), 0.1, "w"))
    assert all(trial.intermediate_values == {} for trial in ledger.study.trials)


# Constraints


def test_a_quality_below_its_bound_is_complete_but_not_ranked(open_ledger):
    ledger = open_ledger(constraints={"accuracy": 0.9, "loss": 0.5}, trials=3)
    below, above = ledger.ask(), ledger.ask()
    finish(ledger, below, 0.85)
    finish(ledger, above, 0.95)
    assert (below.state, below.feasible, below.reason) == ("complete", False, "accuracy 0.85 is below 0.9")
    assert (above.state, above.feasible, above.reason) == ("complete", True, "")
    attrs = ledger.study.trials[below.number].system_attrs
    assert attrs["constraints:accuracy"] == pytest.approx(0.05)
    assert attrs["constraints:loss"] < 0
    frame = table.frame(ledger.records(), ledger.objectives)
    assert frame.loc[table.comparable(frame), "number"].tolist() == [above.number]
    assert [trial.number for trial in ledger.study.best_trials] == [above.number]


def test_bounds_in_words():
    bounds = {"accuracy": 0.9, "loss": 0.3, "params": 1000.0}
    assert broken(bounds, {"accuracy": 0.9, "loss": 0.3, "params": 1000.0}) == ""
    assert (
        broken(bounds, {"accuracy": 0.8, "params": 1234.0}) == "accuracy 0.8 is below 0.9; params 1,234 exceeds 1,000"
    )


def test_exact_bounds_that_clash_are_refused_with_the_nearest():
    """`concat` has fewer parameters than `sk`, and more FLOPs."""
    space = spaces.create(
        "resnet", depth=8, width=8, in_channels=1, input_size=(8, 8), ops=("concat", "sk"), reductions=(2,)
    )
    least = {name: float(space.smallest(name)) for name in ("params", "flops")}
    with pytest.raises(Infeasible, match=r"params <= 10; the smallest in this space has [\d,]+\."):
        require_reachable(space, {"params": 10.0})
    for name, bound in least.items():
        require_reachable(space, {name: bound, "accuracy": 0.99})
    with pytest.raises(Infeasible, match=r"together; the nearest in this space has params [\d,]+ and flops [\d,]+\."):
        require_reachable(space, least)
    mixed = space.cost(next(space.enumerate()))
    require_reachable(space, {"params": float(mixed.params), "flops": float(mixed.flops)})


def test_the_nearest_is_what_a_search_through_all_finds():
    space = spaces.create(
        "resnet", depth=8, width=8, in_channels=1, input_size=(8, 8), ops=("concat", "sk", "aff"), reductions=(2, 4)
    )
    costs = [space.cost(architecture) for architecture in space.enumerate()]
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(40):
        params, flops = (rng.uniform(space.smallest(name), 1.2 * space.smallest(name)) for name in ("params", "flops"))
        meets = any(cost.params <= params and cost.flops <= flops for cost in costs)
        try:
            require_reachable(space, {"params": params, "flops": flops})
        except Infeasible:
            refused += 1
            assert not meets
        else:
            assert meets
    assert 0 < refused < 40


# Stop rule


def test_the_stop_rule_counts_from_the_last_move_of_the_front():
    stall = Stall(3)
    for losses, since in [
        ((-0.5, 9.0), 0),
        ((-0.4, 9.0), 1),
        (None, 2),
        ((-0.4, 8.0), 0),
        ((-0.4, 8.0), 1),
        ((float("nan"), 1.0), 2),
    ]:
        stall.ended(losses)
        assert stall.since == since
    assert not stall.reached
    stall.ended(None)
    assert stall.reached
    assert not Stall(None).reached


def test_a_search_whose_front_does_not_move_ends_and_goes_on_with_more_patience(open_ledger):
    ledger = open_ledger(objectives=("accuracy",), patience=3, pruner="none")
    finish(ledger, ledger.ask(), 0.9)
    for _ in range(3):
        finish(ledger, ledger.ask(), 0.5)
    assert (ledger.stall.reached, ledger.remaining(), ledger.ask()) == (True, 0, None)
    assert open_ledger(objectives=("accuracy",), patience=3, pruner="none").stall.reached
    more = open_ledger(objectives=("accuracy",), patience=5, pruner="none")
    assert more.ask() is not None


# What the search is compared with


def train_controls(ledger, controls, *accuracies: float) -> list:
    ledger.queue_controls(controls)
    asked = []
    while (candidate := ledger.ask()) is not None:
        asked.append(candidate)
        first = Progress(curve(*accuracies[:1]), 0.5, "host:1")
        if not ledger.report(candidate.number, first):
            finish(ledger, candidate, *accuracies)
    return asked


def test_the_search_is_compared_at_its_own_epochs(open_ledger):
    ledger = open_ledger(trials=6)
    train_some(ledger, 6)
    random = random_controls(ledger, 2)
    assert len(random) == 6
    trained = train_controls(ledger, random, 0.4, 0.6)
    assert all((one.kind, one.series, one.state) == ("control", "random", "complete") for one in trained)
    assert random_controls(ledger, 2) == []
    short = one_epoch_controls(ledger, 2)
    assert len(short) == 6
    train_controls(ledger, short, 0.4)
    top = top_controls(ledger, 2)
    assert len(top) == 3
    train_controls(ledger, top, 0.4, 0.7)
    assert top_controls(ledger, 2) == []
    spent = {"one_epoch": 0, "one_epoch_top": 0, "random": 0}
    for candidate in ledger.candidates.values():
        if candidate.series:
            spent[candidate.series] += len(candidate.curve)
    assert spent == {"random": 12, "one_epoch": 6, "one_epoch_top": 6}
    # The search does not learn from them, nor count them.
    assert sum(trial.state == TrialState.COMPLETE for trial in ledger.study.trials) == 6
    assert ledger.count("complete") == 6
    frame = table.frame(ledger.records(), ledger.objectives)
    assert not frame.loc[frame["series"] != "", "on_front"].any()


def test_a_wider_space_draws_no_random_networks_for_those_that_were_drawn(open_ledger, space):
    ledger = open_ledger(trials=4)
    train_some(ledger, 4)
    train_controls(ledger, random_controls(ledger, 2), 0.4, 0.6)
    wide = SearchSpace(space.name, space.host, **space.selection | {"ops": (*space.ops, "eca", "sk", "iaff")})
    assert random_controls(open_ledger(trials=4, space=wide), 2) == []


def test_what_was_trained_already_is_copied(open_ledger, space):
    ledger = open_ledger(trials=2)
    twin = space.uniform("aff", 2)
    ledger.enqueue(spaces.Configuration(twin), "search")
    finish(ledger, ledger.ask(), 0.5, 0.9)
    finish(ledger, ledger.ask(), 0.5, 0.8)
    ledger.queue_controls([(spaces.Configuration(twin), name) for name in ("random", "one_epoch")])
    assert ledger.ask() is None
    copies = [candidate for candidate in ledger.candidates.values() if candidate.series]
    assert [(one.state, len(one.curve), one.seconds) for one in copies] == [
        ("duplicate", 2, 0.0),
        ("duplicate", 1, 0.0),
    ]


def test_an_interrupted_comparison_goes_on_and_leaves_nothing_waiting(open_ledger):
    ledger = open_ledger(trials=3)
    train_some(ledger, 3)
    ledger.queue_controls(random_controls(ledger, 2))
    lost = ledger.ask()
    again = open_ledger(trials=3)
    again.release()
    again.queue_controls(random_controls(again, 2))
    back = train_controls(again, [], 0.4, 0.6)
    assert back[0].number == lost.number
    assert len(back) == len({one.architecture.id for one in back})
    assert all(trial.state.is_finished() for trial in again.study.trials)
    assert random_controls(again, 2) == []


@settings(max_examples=8, deadline=None)
@given(st.floats(0.2, 1), st.floats(0.2, 1), st.integers(0, 99))
def test_nothing_that_breaks_an_exact_constraint_is_handed_out(params, flops, seed):
    space = spaces.create("resnet", depth=8, width=4, in_channels=1, input_size=(8, 8), reductions=(2, 4))
    dearest = space.cost(space.uniform("iaff", 2))
    least = {name: space.smallest(name) for name in ("params", "flops")}
    shares = {"params": params, "flops": flops}
    bounds = {name: least[name] + share * (getattr(dearest, name) - least[name]) for name, share in shares.items()}
    study = optuna.create_study(
        directions=["maximize", "minimize"],
        sampler=create_sampler("random", space, objectives=("accuracy", "params"), seed=seed),
    )
    ledger = Ledger(
        study,
        space,
        objectives=("accuracy", "params"),
        constraints=bounds,
        pruner=optuna.pruners.NopPruner(),
        trials=3,
        seed=seed,
        notify=lambda event, candidate: None,
    )
    while (candidate := ledger.ask()) is not None:
        assert candidate.params <= bounds["params"]
        assert candidate.flops <= bounds["flops"]
        finish(ledger, candidate, 0.5)
    assert ledger.count("complete") == 3 or ledger.exhausted
