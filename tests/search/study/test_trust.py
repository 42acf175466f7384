"""Which architectures are trained from scratch as well: of every kind, the same whenever it is asked, each once."""

from __future__ import annotations

import numpy as np
import pytest

from search.config import SearchConfig
from search.run.stages import stages
from search.study.strategies import Inherit, Trust
from search.study.strategies.trust_sample import Trained, trust_sample
from search.training.job import Progress


def front_and_rest(on_front: int, rest: int) -> list[Trained]:
    """A front whose costs lie unevenly, and what it dominates."""
    front = [Trained(f"f{place}", -place / 100, place**2, on_front=True) for place in range(on_front)]
    return front + [Trained(f"r{place}", 1.0 + place, place, on_front=False) for place in range(rest)]


def test_half_is_of_the_front_with_its_best_and_its_ends_and_half_of_the_rest() -> None:
    sample = trust_sample(front_and_rest(20, 30), (), 12, seed=0)
    of_front = [one for one in sample if one[0] == "f"]
    assert len(sample) == len(set(sample)) == 12
    assert len(of_front) == 6
    # The pick is the best by quality, then comes what is farthest from it in cost.
    assert of_front[:2] == ["f19", "f0"]
    costs = sorted(int(one[1:]) ** 2 for one in of_front)
    assert np.diff(costs).max() <= 130


@pytest.mark.parametrize(("on_front", "rest", "count"), [(3, 30, 12), (30, 2, 12), (2, 3, 12), (1, 0, 4), (5, 5, 1)])
def test_where_one_half_is_short_the_other_fills_up(on_front: int, rest: int, count: int) -> None:
    sample = trust_sample(front_and_rest(on_front, rest), (), count, seed=0)
    assert len(sample) == len(set(sample)) == min(count, on_front + rest)
    assert sample[0] == f"f{on_front - 1}"


def test_whatever_has_begun_the_sample_stays_the_same() -> None:
    trained = front_and_rest(9, 12)
    whole = trust_sample(trained, (), 12, seed=3)
    for begun in range(13):
        assert trust_sample(trained, whole[:begun], 12, seed=3) == whole[begun:]
    assert trust_sample(trained[::-1], (), 12, seed=3) == whole
    assert trust_sample(trained, (), 12, seed=4) != whole


def test_a_search_that_went_on_adds_what_is_new_on_its_front_and_keeps_the_rest() -> None:
    before = trust_sample(front_and_rest(4, 20), (), 8, seed=0)
    # What was on the front no longer is, but for one; and there is a new pick.
    trained = [Trained(one.id, one.loss, one.cost, one.id == "f1") for one in front_and_rest(4, 20)]
    trained += [Trained(f"n{place}", -1.0 - place, place, on_front=True) for place in range(6)]
    added = trust_sample(trained, before, 8, seed=0)
    assert added[0] == "n5"
    assert [one[0] for one in added] == ["n"] * 3
    assert trust_sample(trained, [*before, *added], 8, seed=0) == []


def test_nothing_is_wanted_of_nothing() -> None:
    assert trust_sample([], (), 12, seed=0) == []
    assert trust_sample(front_and_rest(2, 2), (), 0, seed=0) == []


def done(ledger, candidate, accuracy: float = 0.9) -> None:
    curve = ({"accuracy": accuracy, "loss": 1 - accuracy},)
    ledger.report(candidate.number, Progress(curve, 1.0, "host:1", done=True))


@pytest.fixture
def ended(open_ledger):
    """Return a search of eight candidates that has ended, by inheritance."""

    def make():
        ledger = open_ledger(trials=8, pruner="none", epochs=2)
        strategy = Inherit(ledger)
        while (candidate := strategy.ask()) is not None:
            done(ledger, candidate, 0.5 + candidate.number / 100)
        return ledger

    return make


def test_it_begins_once_the_search_has_ended_and_trains_each_once(open_ledger, ended) -> None:
    early = open_ledger(trials=8, pruner="none")
    assert not Trust(early, 5).is_left()
    ledger = ended()
    trust = Trust(ledger, 5)
    assert trust.is_left()
    assert trust.now == ""
    begun = []
    while (candidate := trust.ask()) is not None:
        assert "from scratch" in trust.now
        begun.append(candidate)
        done(ledger, candidate)
    assert not trust.is_left()
    assert trust.now == ""
    assert [(one.series, one.kind, one.start) for one in begun] == [("trust", "control", None)] * 5
    searched = {one.id for one in ledger.all() if not one.series}
    assert len({one.id for one in begun}) == 5
    assert {one.id for one in begun} <= searched
    assert ledger.count("complete") == 8
    assert all(ledger.study.trials[one.number].params == {} for one in begun)


def test_it_goes_on_as_it_was_after_any_end_of_the_driver(open_ledger, ended) -> None:
    ledger = ended()
    whole = [one.id for one in iter(Trust(ledger, 5).ask, None)]
    again = open_ledger(trials=8, pruner="none")
    again.release()
    trust, taken = Trust(again, 5), []
    while (candidate := trust.ask()) is not None:
        taken.append(candidate.id)
        done(again, candidate)
    assert taken == whole
    assert not Trust(open_ledger(trials=8, pruner="none"), 5).is_left()
    assert Trust(open_ledger(trials=8, pruner="none"), 7).is_left()


def test_what_fails_from_scratch_is_not_tried_again(open_ledger, ended) -> None:
    ledger = ended()
    trust = Trust(ledger, 2)
    failed = trust.ask()
    ledger.report(failed.number, Progress((), 0.0, "host:1", done=True, failure="non-finite loss at epoch 1"))
    done(ledger, trust.ask())
    assert trust.ask() is None
    assert not Trust(open_ledger(trials=8, pruner="none"), 2).is_left()


def test_what_was_trained_from_scratch_anyway_is_no_evidence(open_ledger) -> None:
    ledger = open_ledger(trials=4, pruner="none")
    while (candidate := ledger.ask()) is not None:
        done(ledger, candidate)
    assert not Trust(ledger, 4).is_left()


def test_the_epochs_ahead_are_known_before_and_in_it(open_ledger) -> None:
    values = {"train": {"epochs": 6}, "search": {"strategy": "inherit"}}
    ledger = open_ledger(trials=3, pruner="none")
    kinds = stages(SearchConfig.from_dict(values), ledger.space)
    strategy, trust = Inherit(ledger), Trust(ledger, 2)
    assert strategy.epochs_ahead(kinds) == 6
    assert trust.epochs_ahead(kinds["trust"]) == 12
    parent = strategy.ask()
    ledger.report(parent.number, Progress(({"accuracy": 0.5, "loss": 0.5},) * 2, 1.0, "host:1"))
    assert strategy.epochs_ahead(kinds) == 4
    done(ledger, parent)
    assert strategy.epochs_ahead(kinds) == 0
    while (candidate := strategy.ask()) is not None:
        done(ledger, candidate)
    first = trust.ask()
    ledger.report(first.number, Progress(({"accuracy": 0.5, "loss": 0.5},), 1.0, "host:1"))
    assert trust.epochs_ahead(kinds["trust"]) == 5 + 6
