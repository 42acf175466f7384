"""What points do, from arrays: effects paired by seed and image, weights over trainings, and the file of both."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import reports
from fusion_ops import Spread
from fusion_ops.errors import DataError, RunError
from fusion_ops.spread import BINS
from reports.measures import MEASURES
from reports.retrained.point_effects import effects, weights_of
from reports.retrained.point_record import POINTS_FILE, Effect, PointEffects, PointRecord, read_points, write_points
from reports.views.weight_rows import weight_rows


def drawn(seeds: int = 4, images: int = 500) -> np.ndarray:
    """Networks that differ a lot from seed to seed."""
    rng = np.random.default_rng(0)
    return rng.random((seeds, images)) < np.linspace(0.6, 0.95, seeds)[:, None]


def without(whole: np.ndarray, lost: float) -> np.ndarray:
    """The same networks, each wrong on further images."""
    rng = np.random.default_rng(1)
    return whole & (rng.random(whole.shape) >= lost)


def test_an_effect_is_paired_by_training() -> None:
    whole = drawn().astype(float)
    other = without(drawn(), 0.05).astype(float)
    found = effects(whole, {"a": other}, margin=0.0025)["a"]
    assert found.gain == pytest.approx((whole - other).mean())
    assert found.low is not None
    assert found.low > 0
    assert found.outcome == "better"
    # As networks of which nobody knows that they belong together, the spread of seeds hides it.
    assert reports.compare(whole, other).low < 0


def test_intervals_hold_all_together_and_equal_networks_are_not_told_apart() -> None:
    whole = drawn().astype(float)
    others = {name: without(drawn(), 0.03).astype(float) for name in "abc"} | {"same": whole}
    alone, together = (effects(whole, some, margin=0.0025)["a"] for some in ({"a": others["a"]}, others))
    assert together.gain == alone.gain
    assert together.low is not None
    assert alone.low is not None
    assert together.low < alone.low
    same = effects(whole, others, margin=0.0025)["same"]
    assert same.gain == 0
    assert same.outcome in ("same", "undecided")


@pytest.mark.parametrize("shape", [(1, 50), (3, 1)])
def test_one_seed_or_a_measure_without_images_has_no_interval(shape: tuple[int, int]) -> None:
    whole = np.full(shape, 0.5)
    assert effects(whole, {"a": whole - 0.25}, margin=0.0) == {"a": Effect(0.25)}


@pytest.mark.parametrize("turned", [False, True])
def test_a_number_a_training_beside_one_an_image_has_no_interval(turned: bool) -> None:
    several = drawn().astype(float)
    single = several.mean(axis=1, keepdims=True) - 0.1
    whole, other = (single, several) if turned else (several, single)
    found = effects(whole, {"apart": other, "same": whole - 0.1}, margin=0.0025)
    assert found["apart"] == Effect(pytest.approx(-0.1 if turned else 0.1))
    assert (found["same"].low is None) == turned


@pytest.mark.parametrize("seeds", [1, 3])
def test_what_is_no_finite_number_has_no_effect(seeds: int) -> None:
    whole = drawn(seeds).astype(float)
    broken = whole.copy()
    broken[0, 7] = -np.inf
    assert list(effects(whole, {"a": broken, "b": whole}, margin=0.0025)) == ["b"]
    assert effects(broken, {"a": broken, "b": whole}, margin=0.0025) == {}


def spread(constants: tuple[float, ...], images: float, positions: float = 0.0) -> Spread:
    return Spread(constants, images, positions)


def test_weights_are_means_over_trainings_of_the_input_that_varies_most() -> None:
    first, second = spread((0.9, 1.1), 0.03), spread((0.9, 1.1), 0.01)
    steady = spread((1.0, 1.0), 0.0)
    histogram = tuple(1.0 if index == 3 else 0.0 for index in range(BINS))
    found = weights_of([[steady, first], [steady, second]], [[histogram, histogram]] * 2, [0.004, 0.02], tolerance=0.01)
    assert (found.input, found.inputs, found.mean) == (1, 2, pytest.approx(1.0))
    assert found.images_range == (pytest.approx(0.5), pytest.approx(0.75))
    assert found.shares["images"] == pytest.approx(0.625)
    assert found.values == histogram
    assert sum(found.constants) == pytest.approx(1)
    assert [index / BINS * 2 for index, share in enumerate(found.constants) if share] == pytest.approx([0.9, 1.1])
    assert (found.difference, found.constant) == (0.02, False)  # the farthest training counts
    alike = weights_of([[first, first]], [[histogram, histogram]], [float("inf")], tolerance=0.01)
    assert (alike.input, alike.difference, alike.constant) == (0, None, False)


@pytest.mark.parametrize("differences", [(0.001, float("nan")), (float("nan"), 0.001)])
def test_a_distance_that_is_no_number_is_beyond_any_tolerance(differences: tuple[float, float]) -> None:
    steady, histogram = spread((1.0, 1.0), 0.0), (1.0,) * BINS
    found = weights_of([[steady] * 2] * 2, [[histogram] * 2] * 2, differences, tolerance=0.01)
    assert (found.difference, found.constant) == (None, False)


def test_weights_that_are_no_numbers_are_refused() -> None:
    steady, broken, histogram = spread((1.0,), 0.0), spread((float("nan"),), 0.0), (1.0,) * BINS
    with pytest.raises(DataError, match=r"must be finite; they are not in network 2 of 2\. Train it again"):
        weights_of([[steady], [broken]], [[histogram]] * 2, [0.0, 0.0], tolerance=0.01)


def record_of(*points: PointEffects) -> PointRecord:
    return PointRecord("ab12", {"default": (3, 5)}, 0.0025, 400, 800, 100, "cpu", 1.5, points)


def point_of(difference: float = 0.005, images: float = 1e-6, **known: object) -> PointEffects:
    histogram = tuple(1.0 if index == BINS // 2 else 0.0 for index in range(BINS))
    weights = weights_of([[spread((1.0, 1.02), images)] * 2], [[histogram] * 2], [difference], tolerance=0.01)
    effect = Effect(0.01, 0.002, 0.018, 0.01, "better")
    made = PointEffects("stage1.block1", "aff r=4", "default", 2, 10, 20, 0.1, "", effect, effect, weights)
    return replace(made, **known)


def test_the_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert read_points(tmp_path) is None
    record = record_of(point_of(), point_of(why="no weights", without=None, fixed=None, weights=None))
    write_points(record, tmp_path)
    assert read_points(tmp_path) == record
    assert [path.name for path in tmp_path.iterdir()] == [POINTS_FILE]
    assert record.is_of(replace(record, points=(), seconds=9.0))
    assert not record.is_of(replace(record, trainings={"default": (3, 5, 9)}))
    assert not record.is_of(replace(record, margin=0.01))


def test_a_damaged_file_is_named_and_one_of_another_version_is_none(tmp_path: Path) -> None:
    path = tmp_path / POINTS_FILE
    for text in ("{", "[]", '{"schema_version": 1}', '{"schema_version": 1, "trainings": 3, "points": []}'):
        path.write_text(text)
        with pytest.raises(RunError, match=r"points.json is damaged .* Remove it; `fusion-nas retrain` writes it anew"):
            read_points(tmp_path)
    write_points(record_of(), tmp_path)
    path.write_text(path.read_text().replace('"schema_version": 1', '"schema_version": 99'))
    assert read_points(tmp_path) is None


def test_rows_say_in_a_word_what_weights_come_to_and_have_one_scale() -> None:
    steady, looking, fixed = point_of(), point_of(difference=0.3, images=0.04), point_of(difference=0.0, images=0.0)
    rows, scale = weight_rows([steady, looking, fixed], MEASURES["accuracy"])
    assert [row.word for row in rows] == [
        "constant: a scaled sum would do",
        "depends on the image",
        "constant: looks at no image",
    ]
    assert [row.constant for row in rows] == [True, False, True]
    assert (rows[1].difference, rows[1].gain, rows[1].interval) == ("30 %", "+1.00 points", "+0.20 to +1.80")
    assert (scale.left, scale.right) == (0.95, 1.05)
    assert (scale.place(0.0), scale.place(1.0), scale.place(2.0)) == (0, 50, 100)
    # The one bar of all values begins at 1, where half of the scale is, and is as high as the box.
    assert rows[0].values == "M0,20H50V0H60V20Z"


def test_the_scale_shows_nearly_all_values() -> None:
    wide = point_of()
    assert wide.weights is not None
    values = tuple(1 / BINS for _ in range(BINS))
    _, scale = weight_rows([replace(wide, weights=replace(wide.weights, values=values))], MEASURES["accuracy"])
    assert (scale.left, scale.right) == (0, 2)
    three = replace(wide.weights, inputs=3, values=values)
    _, scale = weight_rows([replace(wide, weights=three)], MEASURES["accuracy"])
    assert (scale.left, scale.right) == (0, 3)
