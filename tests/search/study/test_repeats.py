"""What a proposal repeats is told by its architecture, of which only a hash is at hand."""

from __future__ import annotations

import pytest

from reports.candidates.candidate import Candidate
from search.strategy import known
from search.study.repeats import Repeats


@pytest.fixture
def some(space) -> list[Candidate]:
    return [
        Candidate(number, architecture, "search", 0, 10, 100, state="complete", curve=[{"accuracy": 0.1 * number}])
        for number, architecture in zip(range(4), space.enumerate(), strict=False)
    ]


def like(candidate: Candidate, number: int) -> Candidate:
    """Return a new candidate of the same architecture."""
    return Candidate(number, candidate.architecture, "search", 0, 10, 100)


@pytest.mark.parametrize("alike", [False, True])
def test_what_has_another_architecture_is_no_duplicate_whatever_its_hash(
    some: list[Candidate], monkeypatch: pytest.MonkeyPatch, alike: bool
) -> None:
    if alike:
        monkeypatch.setattr(known, "hash", lambda key: 7, raising=False)
    candidates = {one.number: one for one in some}
    repeats = Repeats(candidates)
    repeats.remember(some[0])
    same, other = like(some[0], 10), like(some[1], 11)
    assert (repeats.take(same), same.curve) == (0, some[0].curve)
    assert (repeats.take(other), other.curve) == (None, [])


def test_a_second_look_stands_for_its_architecture_and_is_known_once_it_has_ended(some: list[Candidate]) -> None:
    first, candidates = some[0], {one.number: one for one in some}
    first.state = "pruned"
    repeats = Repeats(candidates)
    repeats.remember(first)
    look = like(first, 10)
    assert repeats.take(look) is None
    assert (look.again, look.start, look.before) == (True, 0, 1)
    candidates[10] = look
    look.state = "running"
    repeats.remember(look)
    assert not repeats.looked_at(first)
    assert repeats.take(like(first, 11)) == 10
    look.state = "pruned"
    assert repeats.looked_at(first)
    assert repeats.take(like(first, 12)) == 10
    assert not repeats.looked_at(some[1])


def test_what_waits_to_go_on_is_not_trained_twice(some: list[Candidate]) -> None:
    candidates = {one.number: one for one in some}
    repeats = Repeats(candidates)
    repeats.remember(some[2])
    del candidates[2]
    again = like(some[2], 10)
    assert (repeats.take(again), again.curve) == (2, [])
