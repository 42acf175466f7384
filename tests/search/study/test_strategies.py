"""In which order a strategy trains, and with which weights: nothing is lost or done twice, however the driver ends."""

from __future__ import annotations

from search.config.strategy import STRATEGIES as NAMES
from search.config.strategy import StrategySettings
from search.study.strategies import STRATEGIES, Inherit
from search.training.job import Progress

SETTINGS = StrategySettings()


def done(ledger, candidate, accuracy: float = 0.9) -> None:
    curve = ({"accuracy": accuracy, "loss": 1 - accuracy},)
    ledger.report(candidate.number, Progress(curve, 1.0, "host:1", done=True))


def test_the_config_knows_every_strategy() -> None:
    assert set(NAMES) == set(STRATEGIES)


def test_nothing_is_proposed_before_the_parent_is_trained(open_ledger, space) -> None:
    ledger = open_ledger(trials=3)
    strategy = Inherit(ledger, SETTINGS)
    parent = strategy.ask()
    assert (parent.series, parent.kind, parent.start) == ("parent", "control", None)
    assert parent.architecture == space.original()
    assert "parent" in strategy.now
    assert strategy.ask() is None
    assert strategy.is_left()
    done(ledger, parent)
    candidates = [strategy.ask() for _ in range(3)]
    assert [one.start for one in candidates] == [parent.number] * 3
    assert strategy.now == ""
    for one in candidates:
        done(ledger, one)
    assert not strategy.is_left()
    # The parent is no candidate of the search, and no sampler learns of it.
    assert ledger.count("complete") == 3
    assert ledger.study.trials[parent.number].params == {}


def test_the_uniform_networks_begin_with_the_parent_too(open_ledger, space) -> None:
    from search.study.uniform import enqueue_uniform

    ledger = open_ledger(trials=6)
    enqueue_uniform(ledger)
    strategy = Inherit(ledger, SETTINGS)
    parent = strategy.ask()
    assert parent.series == "parent"
    done(ledger, parent)
    first = strategy.ask()
    assert (first.kind, first.start) == ("baseline", parent.number)


def test_a_parent_that_was_interrupted_goes_on_as_it_was(open_ledger) -> None:
    ledger = open_ledger(trials=2)
    parent = Inherit(ledger, SETTINGS).ask()
    # The driver is killed, and another one takes over.
    again = open_ledger(trials=2)
    again.release()
    strategy = Inherit(again, SETTINGS)
    taken = strategy.ask()
    assert (taken.number, taken.series, taken.retries) == (parent.number, "parent", 1)
    done(again, taken)
    third = open_ledger(trials=2)
    strategy = Inherit(third, SETTINGS)
    assert strategy.ask().start == parent.number


def test_a_parent_that_fails_ends_the_run_and_is_tried_again_on_a_resume(open_ledger) -> None:
    ledger = open_ledger(trials=2)
    strategy = Inherit(ledger, SETTINGS)
    parent = strategy.ask()
    ledger.report(parent.number, Progress((), 0.0, "host:1", done=True, failure="non-finite loss at epoch 1"))
    assert strategy.ask() is None
    assert "parent of all candidates could not be trained: non-finite loss at epoch 1" in ledger.halt
    again = open_ledger(trials=2)
    strategy = Inherit(again, SETTINGS)
    second = strategy.ask()
    assert (second.series, second.number) == ("parent", parent.number + 1)
    done(again, second)
    assert strategy.ask().start == second.number


def test_a_second_look_says_where_it_goes_on_from_and_counts_no_epoch_twice(open_ledger) -> None:
    ledger = open_ledger(trials=10)
    candidate = ledger.ask()
    curve = tuple({"accuracy": 0.5, "loss": 0.5} for _ in range(3))
    ledger.report(candidate.number, Progress(curve[:2], 2.0, "host:1"))
    ledger.finish(candidate.number, "pruned", "stopped")
    ledger.enqueue(candidate.configuration, "search")
    again = ledger.ask()
    assert (again.again, again.start, again.before) == (True, candidate.number, 2)
    ledger.report(again.number, Progress(curve, 1.0, "host:1", done=True, before=2))
    assert (again.epochs, again.trained_epochs) == (3, 1)
    assert ledger.trained_epochs() == 3
    row = ledger.records()[-1]
    assert (row["start"], row["before"]) == (candidate.number, 2)
