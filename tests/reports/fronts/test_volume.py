"""Hypervolume against known values, and against counting the cells of a grid."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.fronts.dominance import non_dominated
from reports.fronts.volume import contributions, hypervolume, shares

GRID = 4
POINTS = st.integers(1, 4).flatmap(lambda m: st.lists(st.tuples(*[st.integers(0, GRID)] * m), min_size=1, max_size=9))


def counted(points: list[tuple[int, ...]]) -> int:
    """Count the unit cells below the reference (GRID, GRID, …) that some point dominates."""
    cells = itertools.product(range(GRID), repeat=len(points[0]))
    return sum(any(all(p <= c for p, c in zip(point, cell, strict=True)) for point in points) for cell in cells)


@pytest.mark.parametrize(
    ("points", "reference", "expected"),
    [
        ([(1, 1)], (3, 3), 4),
        ([(1, 2), (2, 1)], (3, 3), 3),
        ([(1, 2), (2, 1), (2, 2), (1, 2)], (3, 3), 3),
        ([(3, 1), (1, 3), (4, 0)], (3, 3), 0),
        ([(math.nan, 0), (1, 1), (-math.inf, 0)], (3, 3), 4),
        ([(1,), (2,)], (5,), 4),
        ([(0, 0, 1), (0, 1, 0), (1, 0, 0)], (2, 2, 2), 7),
        ([], (1, 1), 0),
    ],
)
def test_known_volumes(points: list[tuple[float, ...]], reference: tuple[float, ...], expected: float) -> None:
    assert hypervolume(points, reference) == pytest.approx(expected)


@given(POINTS)
@settings(max_examples=120, deadline=None)
def test_volume_is_the_number_of_dominated_cells(points: list[tuple[int, ...]]) -> None:
    assert hypervolume(points, [GRID] * len(points[0])) == pytest.approx(counted(points))


@given(POINTS)
@settings(max_examples=80, deadline=None)
def test_a_contribution_is_what_the_front_loses(points: list[tuple[int, ...]]) -> None:
    on_front = non_dominated(points)
    alone = contributions(points, [GRID] * len(points[0]))
    assert (alone[~on_front] == 0).all()
    front = [point for point, inside in zip(points, on_front, strict=True) if inside]
    for index, lost in enumerate(alone[on_front].tolist()):
        others = front[:index] + front[index + 1 :]
        assert lost == pytest.approx(counted(front) - (counted(others) if others else 0))


def test_equal_points_contribute_nothing() -> None:
    assert contributions([(1.1, 2.3), (1.1, 2.3), (2.7, 0.4)], (3, 3))[:2].tolist() == [0.0, 0.0]


def test_shares_do_not_depend_on_units() -> None:
    points = np.random.default_rng(1).random((30, 2))
    assert shares(points) == pytest.approx(shares(points * [2.0, 1e6] + [5.0, 3e7]))


def test_shares_of_a_known_front() -> None:
    # Scaled, the front is (0, 1), (0.5, 0.5), (1, 0) and the reference (1.1, 1.1).
    whole = 1.1 * 0.1 + 0.6 * 0.5 + 0.1 * 0.5
    expected = [0.5 * 0.1 / whole, 0.5 * 0.5 / whole, 0.1 * 0.5 / whole, 0.0]
    assert shares([(0, 20), (5, 10), (10, 0), (8, 18)]).tolist() == pytest.approx(expected)


def test_points_that_cannot_be_compared_have_no_share() -> None:
    assert shares([(math.nan, 1.0), (1.0, math.inf)]).tolist() == [0.0, 0.0]
    assert shares([(2.0, 2.0), (math.nan, 0.0)]).tolist() == [1.0, 0.0]
    assert shares(np.zeros((0, 2))).tolist() == []


def test_three_hundred_points_on_a_front_of_three_objectives_are_fast() -> None:
    angles = np.random.default_rng(2).random((300, 3))
    front = angles / np.linalg.norm(angles, axis=1, keepdims=True) * -1
    alone = contributions(front, [0.0, 0.0, 0.0])
    assert (alone > 0).all()
    assert alone.sum() < hypervolume(front, [0.0, 0.0, 0.0])
