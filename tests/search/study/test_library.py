"""The library: every choice once a seed, alone in the trained parent; then the search, whose sampler begins with it."""

from __future__ import annotations

import pytest

from search.config.strategy import StrategySettings
from search.strategy.samplers.auto import AutoSampler
from search.study.strategies import Library
from search.training.job import Progress
from spaces.alone import every_choice_alone

SEEDS = 2


def done(ledger, candidate, loss: float = 0.5) -> None:
    curve = ({"accuracy": 1 - loss, "loss": loss},)
    ledger.report(candidate.number, Progress(curve, 1.0, "host:1", done=True))


def opened(open_ledger, **changes) -> tuple:
    ledger = open_ledger(trials=4, **changes)
    ledger.release()
    return ledger, Library(ledger, StrategySettings(library_seeds=SEEDS))


def loss_of(candidate) -> float:
    """`aff r=2` is good at the last point, and whatever else is tried is bad."""
    last, choice = candidate.architecture.choices[-1]
    others = [other for name, other in candidate.architecture.choices if name != last and other.name != "sum"]
    good = choice.name == "aff" and choice.r == 2
    return 0.5 - 0.1 * good + 0.02 * len(others) + 0.02 * (choice.name != "sum" and not good)


def train_library(ledger, strategy) -> list:
    done(ledger, strategy.ask())
    trained = []
    while (one := strategy.ask()).series == "library":
        done(ledger, one, loss_of(one))
        trained.append(one)
    return [*trained, one]


def test_every_choice_is_trained_once_a_seed_beside_what_stands_there(open_ledger, space) -> None:
    ledger, strategy = opened(open_ledger)
    *trained, first = train_library(ledger, strategy)
    expected = [
        (slot.name, architecture.id, seed)
        for seed in range(SEEDS)
        for index, slot in enumerate(space.slots)
        for architecture in dict.fromkeys(
            (space.original(), *(one.architecture for one in every_choice_alone(space) if one.slot == index))
        )
    ]
    assert [(one.slot, one.architecture.id, one.seed) for one in trained] == expected
    parent = next(one for one in ledger.all() if one.series == "parent")
    assert {(one.kind, one.start) for one in trained} == {("control", parent.number)}
    assert (first.series, first.slot, first.start) == ("", "", parent.number)
    # No sampler learns of what is in the library.
    assert all(ledger.study.trials[one.number].params == {} for one in trained)
    assert ledger.count("complete") == 0


def test_the_search_waits_for_the_whole_library(open_ledger) -> None:
    ledger, strategy = opened(open_ledger)
    done(ledger, strategy.ask())
    in_training = []
    while (one := strategy.ask()) is not None:
        assert one.series == "library"
        in_training.append(one)
    assert "library" in strategy.now
    for one in in_training:
        done(ledger, one)
    assert strategy.now == ""
    assert strategy.ask().series == ""


def test_a_killed_driver_loses_nothing_of_the_library(open_ledger) -> None:
    ledger, strategy = opened(open_ledger)
    done(ledger, strategy.ask())
    for _ in range(3):
        done(ledger, strategy.ask())
    left = [strategy.ask() for _ in range(2)]
    # The driver is killed, and another one takes over.
    again, strategy = opened(open_ledger)
    taken = [strategy.ask() for _ in range(2)]
    assert [one.number for one in taken] == [one.number for one in left]
    for one in taken:
        done(again, one)
    while (one := strategy.ask()).series == "library":
        done(again, one)
    trained = [(one.slot, one.architecture.id, one.seed) for one in again.all() if one.series == "library"]
    assert len(trained) == len(set(trained))
    assert not any(one.state == "running" for one in again.all() if one.series == "library")


def test_a_choice_that_fails_is_left_out_and_tried_again_on_a_resume(open_ledger) -> None:
    ledger, strategy = opened(open_ledger)
    done(ledger, strategy.ask())
    failed = strategy.ask()
    ledger.finish(failed.number, "failed", "out of luck")
    while (one := strategy.ask()).series == "library":
        assert (one.slot, one.architecture, one.seed) != (failed.slot, failed.architecture, failed.seed)
        done(ledger, one)
    _, strategy = opened(open_ledger)
    retried = strategy.ask()
    assert (retried.slot, retried.architecture, retried.seed) == (failed.slot, failed.architecture, failed.seed)


@pytest.mark.parametrize("resumed", [False, True])
def test_auto_begins_with_the_library(open_ledger, space, resumed: bool) -> None:
    ledger, strategy = opened(open_ledger, sampler="auto")
    train_library(ledger, strategy)
    if resumed:
        ledger, strategy = opened(open_ledger, sampler="auto")
        strategy.ask()
    sampler = ledger.study.sampler
    assert isinstance(sampler, AutoSampler)
    prior = sampler._prior
    best = space.chosen([space.slots[0].choice("sum", None)] * 2 + [space.slots[2].choice("aff", 2)])
    codes = sampler.encoding.encode(best)[None]
    assert prior.feature(codes) < prior.feature(sampler.encoding.encode(space.uniform("sum"))[None])
    assert prior.feature(sampler.encoding.encode(space.uniform("concat"))[None]) > prior.feature(codes)
    # The front that the library predicts comes first, its best before all.
    assert (prior.best[0] == codes[0]).all()


def test_other_samplers_do_without(open_ledger) -> None:
    ledger, strategy = opened(open_ledger, sampler="random")
    assert train_library(ledger, strategy)[-1].series == ""
