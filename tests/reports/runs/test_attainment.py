"""Attainment surfaces, against their definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.runs.attainment import attained, surfaces

ONE = np.array([[1.0, 3.0], [2.0, 1.0]])
OTHER = np.array([[1.0, 2.0], [3.0, 0.0], [0.5, np.nan]])


def test_of_two_fronts_by_hand() -> None:
    assert attained([ONE, OTHER], 1).tolist() == [[1, 2], [2, 1], [3, 0]]
    assert attained([ONE, OTHER], 2).tolist() == [[1, 3], [2, 2], [3, 1]]


def test_names_and_levels() -> None:
    assert surfaces([ONE]) == ()
    assert [(one.name, one.k) for one in surfaces([ONE, OTHER])] == [("best", 1), ("worst", 2)]
    assert [(one.name, one.k) for one in surfaces([ONE] * 3)] == [("best", 1), ("median", 2), ("worst", 3)]
    assert [(one.name, one.k) for one in surfaces([ONE] * 4)] == [("best", 1), ("median", 2), ("worst", 4)]


@pytest.mark.parametrize("empty", [np.empty((0, 2)), np.full((2, 2), np.nan)])
def test_a_repeat_without_a_front_attains_nothing(empty: np.ndarray) -> None:
    assert attained([ONE, empty], 1).tolist() == ONE.tolist()
    assert attained([ONE, empty], 2).tolist() == []
    assert attained([empty], 1).tolist() == []


POINTS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=5)


@settings(deadline=None)
@given(st.lists(POINTS, min_size=1, max_size=4), st.data())
def test_a_point_is_behind_the_surface_when_k_fronts_attain_it(
    fronts: list[list[tuple[int, int]]], data: object
) -> None:
    k = data.draw(st.integers(1, len(fronts)))  # type: ignore[attr-defined]
    corners = attained([np.array(front, dtype=float).reshape(-1, 2) for front in fronts], k)
    for z in np.ndindex(6, 6):
        by = sum(any(x <= z[0] and y <= z[1] for x, y in front) for front in fronts)
        behind = bool((corners <= np.array(z)).all(axis=1).any()) if len(corners) else False
        assert behind == (by >= k), z
    assert (np.diff(corners, axis=0) * [1, -1] > 0).all()
