"""Hand-written Pareto cases with ties and NaN, and properties against the definition."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.fronts.dominance import foremost, knee, non_dominated, ranks, scaled

NAN = math.nan
# Few distinct values, so that ties and duplicates are common.
VALUES = st.sampled_from([0.0, 1.0, 2.0, 3.0, NAN])
POINTS = st.integers(1, 3).flatmap(lambda m: st.lists(st.tuples(*[VALUES] * m), min_size=1, max_size=24))


def dominates(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    no_worse = all(x <= y for x, y in zip(a, b, strict=True))
    return no_worse and any(x < y for x, y in zip(a, b, strict=True))


def ranks_by_definition(points: list[tuple[float, ...]]) -> list[int]:
    rank, left = 1, {index for index, point in enumerate(points) if all(map(math.isfinite, point))}
    out = [0] * len(points)
    while left:
        front = {i for i in left if not any(dominates(points[j], points[i]) for j in left)}
        for index in front:
            out[index] = rank
        left -= front
        rank += 1
    return [value or rank for value in out]


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ([(1, 1), (2, 2), (3, 3)], [1, 2, 3]),
        ([(1, 3), (2, 2), (3, 1)], [1, 1, 1]),
        ([(3, 3), (1, 3), (3, 1), (2, 2)], [2, 1, 1, 1]),
        ([(1, 1), (1, 1), (1, 2)], [1, 1, 2]),
        ([(1, 2), (1, 1), (2, 1)], [2, 1, 2]),
        ([(1, 1), (NAN, 0), (2, 2), (0, NAN)], [1, 3, 2, 3]),
        ([(1, 1), (-math.inf, 0), (math.inf, 0)], [1, 2, 2]),
        ([(NAN, NAN)], [1]),
        ([(5,), (3,), (3,), (4,)], [3, 1, 1, 2]),
        ([(1, 2, 3), (1, 2, 2), (0, 9, 9), (1, 2, 3)], [2, 1, 1, 2]),
    ],
)
def test_ranks_of_known_cases(points: list[tuple[float, ...]], expected: list[int]) -> None:
    assert ranks(points).tolist() == expected


@given(POINTS)
@settings(max_examples=150, deadline=None)
def test_ranks_follow_the_definition(points: list[tuple[float, ...]]) -> None:
    assert ranks(points).tolist() == ranks_by_definition(points)


@given(POINTS)
@settings(max_examples=150, deadline=None)
def test_the_front_is_what_nothing_dominates(points: list[tuple[float, ...]]) -> None:
    finite = [all(map(math.isfinite, point)) for point in points]
    expected = [
        inside and not any(ok and dominates(other, point) for other, ok in zip(points, finite, strict=True))
        for point, inside in zip(points, finite, strict=True)
    ]
    assert non_dominated(points).tolist() == expected


def test_no_points_have_no_ranks_and_no_knee() -> None:
    assert ranks([]).tolist() == []
    assert non_dominated(np.zeros((0, 2))).tolist() == []
    assert knee([]) is None


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ([(0, 10), (1, 2), (10, 0)], 1),
        ([(0, 1000), (0.1, 200), (1, 0)], 1),
        ([(0, 1), (1, 0)], 0),
        ([(1, 0), (0, 1)], 1),
        ([(2, 2), (1, 1), (1, 1)], 1),
        ([(NAN, 0), (1, 1)], 1),
        ([(NAN, 0)], None),
        ([(3,), (1,), (2,)], 1),
        ([(0, 4, 4), (4, 0, 4), (4, 4, 0), (1, 1, 1)], 3),
    ],
)
def test_knee_of_known_fronts(points: list[tuple[float, ...]], expected: int | None) -> None:
    assert knee(points) == expected


def test_the_knee_does_not_depend_on_units() -> None:
    points = np.random.default_rng(0).random((40, 2))
    assert knee(points) == knee(points * [1.0, 5e6] + [0.0, 1e7])


def test_scaled_leaves_a_constant_objective_at_zero() -> None:
    assert scaled(np.array([[1.0, 7.0], [3.0, 7.0]])).tolist() == [[0.0, 0.0], [1.0, 0.0]]


@pytest.mark.parametrize("count", [0, 1, 7, 40, 100])
def test_the_foremost_are_the_first_by_rank(count: int) -> None:
    rng = np.random.default_rng(count)
    points = rng.integers(0, 6, size=(60, 2)).astype(float)
    points[rng.integers(0, 60, size=5), 0] = np.nan
    assert foremost(points, count).tolist() == np.argsort(ranks(points), kind="stable")[:count].tolist()
