"""The candidates of a long run are all there, and few of them in memory; counts are those of a look at each."""

from __future__ import annotations

import numpy as np
import pytest

from reports.candidates.candidate import STATES, TRAINED, Candidate
from search.study.candidates import Candidates
from search.study.tally import Tally
from search.training.job import Progress


@pytest.fixture
def some(space) -> list[Candidate]:
    return [
        Candidate(number, architecture, "search", 0, 10 + number, 100, curve=[{"accuracy": 0.1 * number}])
        for number, architecture in zip(range(6), space.enumerate(), strict=False)
    ]


def test_what_was_put_away_is_read_again(some) -> None:
    candidates = Candidates(kept=2)
    some[2].series = "random"
    for one in some:
        candidates[one.number] = one
    for number in (2, 3, 0, 4, 1):
        candidates.ended(number)
    assert sorted(candidates._here) == [1, 2, 4, 5]
    assert [candidates[one.number] for one in some] == some
    assert sorted(candidates) == list(range(6))
    assert len(candidates) == 6
    assert 3 in candidates
    assert 6 not in candidates
    assert list(candidates)[:2] == [0, 3]
    assert candidates.get(7) is None


def test_what_has_not_ended_can_be_taken_out(some) -> None:
    candidates = Candidates(kept=1)
    for one in some[:3]:
        candidates[one.number] = one
    candidates.ended(0)
    candidates.ended(1)
    assert candidates.pop(2) is some[2]
    with pytest.raises(KeyError):
        candidates.pop(0)
    with pytest.raises(KeyError):
        candidates[0] = some[0]
    assert list(candidates.values()) == some[:2]


def recounted(ledger) -> dict[str, object]:
    """Return what a look at all candidates says."""
    every = sorted(ledger.all(), key=lambda one: one.number)
    search = [one for one in every if one.kind == "search" and one.state in TRAINED]
    first = next((index for index, one in enumerate(search) if one.state == "pruned"), len(search))
    return {
        "states": {state: sum(one.state == state and not one.series for one in every) for state in STATES},
        "running": [one.number for one in every if one.state == "running"],
        "epochs": sum(one.trained_epochs for one in every if one.state != "duplicate"),
        "seconds": pytest.approx(sum(one.seconds for one in every)),
        "took": (len(search[first:]), sum(one.trained_epochs for one in search[first:])),
        "search": sum(one.trained_epochs for one in every if not one.series and one.state != "duplicate"),
        "random": [one.number for one in every if one.series == "random"],
        "controls": sum(one.trained_epochs for one in every if one.series and not one.beside),
    }


def counted(ledger) -> dict[str, object]:
    tally: Tally = ledger.tally
    return {
        "states": {state: ledger.count(state) for state in STATES},
        "running": sorted(one.number for one in ledger.running()),
        "epochs": tally.epochs,
        "seconds": tally.seconds,
        "took": tally.took(),
        "search": tally.search_epochs,
        "random": [one.number for one in ledger.of_series("random")],
        "controls": tally.control_epochs,
    }


def test_counts_are_those_of_a_look_at_each(open_ledger, space, monkeypatch) -> None:
    monkeypatch.setattr("search.study.candidates.Candidates.__init__.__defaults__", (4,))
    ledger, rng = open_ledger(trials=30, epochs=4), np.random.default_rng(0)
    ledger.queue_controls([(one.configuration, "random") for one in _drawn(ledger, space, 4)])
    running: dict[int, tuple[dict[str, float], ...]] = {}
    for step in range(400):
        if len(running) < 5 and (candidate := ledger.ask()) is not None:
            running[candidate.number] = ()
        if not running:
            break
        number = int(rng.choice(sorted(running)))
        if rng.random() < 0.1:
            ledger.put_back(number)
            del running[number]
        else:
            running[number] = (*running[number], {"accuracy": float(rng.uniform(0.2, 0.9)), "loss": 1.0})
            failure = "it broke" if rng.random() < 0.05 else None
            done = len(running[number]) == 4
            progress = Progress(running[number], 1.5 * len(running[number]), "host:1", done=done, failure=failure)
            if ledger.report(number, progress):
                del running[number]
        assert counted(ledger) == recounted(ledger), step
    assert ledger.count("complete") > 5
    assert ledger.count("pruned") > 2
    again = open_ledger(trials=30, epochs=4)
    assert counted(again) == recounted(again)
    assert [row["id"] for row in again.records()] == [row["id"] for row in ledger.records()]
    assert again.first == ledger.first == min(_place(ledger, one) for one in ledger.all() if one.state == "complete")


def _place(ledger, one: Candidate) -> tuple[bool, float, int, str]:
    return not one.feasible, ledger.loss(one), one.params, one.id


def _drawn(ledger, space, count: int) -> list[Candidate]:
    rng = np.random.default_rng(1)
    return [Candidate(0, space.sample(rng), "control", 0, 1, 1) for _ in range(count)]
