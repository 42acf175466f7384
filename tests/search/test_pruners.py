"""Early stops: compared at equal epochs, on exact costs, never against dominance."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion_ops.errors import UnknownNameError
from search.pruners import PRUNERS, Curve, KeepAll, ParetoPruner, rungs

PEERS = [Curve(f"p{i}", (0.5 + i / 50, 0.8 + i / 50), (100.0 + 10 * i,)) for i in range(6)]


def test_a_dominated_expectation_is_stopped_and_says_by_whom():
    verdict = ParetoPruner().verdict(Curve("c", (0.3,), (200.0,)), PEERS)
    assert verdict is not None
    assert "at epoch 1" in verdict
    assert "at no more cost" in verdict


def test_a_candidate_smaller_than_all_goes_on_however_bad():
    assert ParetoPruner().verdict(Curve("c", (0.0,), (99.0,)), PEERS) is None


def test_a_promising_candidate_goes_on():
    assert ParetoPruner().verdict(Curve("c", (0.7,), (500.0,)), PEERS) is None


def test_too_few_peers_stop_nothing():
    assert ParetoPruner(peers=5).verdict(Curve("c", (0.0,), (900.0,)), PEERS[:4]) is None


def test_peers_are_compared_at_the_same_epoch():
    shorter = [Curve(peer.id, peer.quality[:1], peer.costs) for peer in PEERS]
    assert ParetoPruner().verdict(Curve("c", (0.0,), (900.0,)), shorter) is None


def test_a_single_objective_compares_with_all():
    peers = [Curve(peer.id, peer.quality, ()) for peer in PEERS]
    assert ParetoPruner().verdict(Curve("c", (0.2,), ()), peers) is not None
    assert ParetoPruner().verdict(Curve("c", (0.9,), ()), peers) is None


@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1), st.integers(1, 9)), min_size=3, max_size=12),
    st.floats(0, 1),
    st.integers(1, 9),
)
def test_a_stop_never_contradicts_dominance(peers, quality, cost):
    completed = [Curve(str(i), (first, last), (float(size),)) for i, (first, last, size) in enumerate(peers)]
    candidate = Curve("c", (quality,), (float(cost),))
    if ParetoPruner(peers=3).verdict(candidate, completed) is not None:
        assert any(peer.costs[0] <= cost and max(peer.quality) >= quality for peer in completed)
        dearer = Curve("d", (quality,), (cost + 1.0,))
        assert ParetoPruner(peers=3).verdict(dearer, completed) is not None


def test_none_keeps_all():
    assert KeepAll().verdict(Curve("c", (0.0,), (900.0,)), PEERS) is None


def test_names():
    assert isinstance(PRUNERS["auto"](), ParetoPruner)
    assert isinstance(PRUNERS["none"](), KeepAll)
    with pytest.raises(UnknownNameError, match="pareto"):
        PRUNERS["paretto"]()


@pytest.mark.parametrize(
    ("epochs", "expected"),
    [(1, (1,)), (2, (1, 2)), (8, (1, 2, 4, 8)), (12, (1, 2, 3, 6, 12)), (5, (1, 2, 3, 5))],
)
def test_rungs_halve_from_the_end(epochs, expected):
    assert rungs(epochs) == expected
