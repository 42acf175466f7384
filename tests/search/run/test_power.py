"""What a dry run says of the differences that can be shown: measured on retrainings, assumed before any."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

import spaces
from reports.comparison import Spread, detectable
from reports.comparison.sequential import Looks
from reports.measures import MEASURES
from reports.retrained.outcomes import KeptValues, Outcomes
from reports.retrained.participant import Participant
from reports.retrained.record import RetrainRecord
from search.cli.power import power_of_launch
from search.config import SearchConfig
from search.run.power import assumed_power, gain_of_single_trainings, looks_at, measured_powers
from search.training import data

IMAGES = 400
RECORD = RetrainRecord(top=1, seeds=(3, 12), test_images=IMAGES)


@pytest.fixture
def outcomes(tmp_path: Path) -> Callable[..., Outcomes]:
    """Return who writes what images got in trainings of a network, as a retraining does."""

    def written(network: str, values: np.ndarray, recipe: str = "default") -> Outcomes:
        paths = [tmp_path / f"{network}-{recipe}-{seed}.safetensors" for seed in range(len(values))]
        for path, row in zip(paths, values, strict=True):
            named = {name: np.ascontiguousarray(row) for name in ("accuracy", "loss", "miou")}
            save_file(named, path)
        seeds = tuple(range(len(values)))
        return Outcomes(network, recipe, "finalist", seeds, seeds, KeptValues(paths, ("accuracy", "loss", "miou")))

    return written


def finalist(r: int) -> Participant:
    space = spaces.create(
        "resnet", depth=8, width=4, num_classes=10, in_channels=1, input_size=(8, 8), ops=("aff",), reductions=(r,)
    )
    return Participant(space.uniform("aff", r=r), (("finalist", ""),))


def right(seed: int, seeds: int = 4) -> np.ndarray:
    """Whether images are right, in trainings that differ by a few points."""
    rng = np.random.default_rng(seed)
    return rng.random((seeds, IMAGES)) < 0.8 + 0.05 * rng.standard_normal((seeds, 1))


def found(*networks: Outcomes) -> dict[tuple[str, str], Outcomes]:
    return {(one.id, one.recipe): one for one in networks}


def test_the_variance_is_that_of_the_runs_own_retrainings_and_looks_cost_something(
    outcomes: Callable[..., Outcomes],
) -> None:
    arrays = [right(seed) for seed in (1, 2, 3)]
    known = found(*(outcomes(name, array) for name, array in zip("abc", arrays, strict=True)))
    (shown,) = measured_powers(known, RECORD, MEASURES["accuracy"], 0.0025)
    spread = Spread.pooled(arrays)
    looks = Looks(3, 12, margin=0.0025)
    assert shown.gain == pytest.approx(detectable(spread, seeds=12, images=IMAGES, looks=looks))
    assert (shown.networks, shown.seeds, shown.images, shown.recipe) == (3, (3, 12), IMAGES, "default")
    best = assumed_power(0.8, IMAGES, looks, (3, 12))
    assert best is not None
    assert best.gain < shown.gain
    (fixed,) = measured_powers(known, replace(RECORD, seeds=(12, 12)), MEASURES["accuracy"], 0.0025)
    assert fixed.gain < shown.gain
    (looked,) = measured_powers(known, replace(RECORD, seeds=(12, 12), looked=(3, 12)), MEASURES["accuracy"], 0.0025)
    assert looked.gain == pytest.approx(shown.gain)
    (fewer,) = measured_powers(known, replace(RECORD, seeds=(5, 8), looked=(3, 12)), MEASURES["accuracy"], 0.0025)
    assert fewer.gain == pytest.approx(detectable(spread, seeds=8, images=IMAGES, looks=looks))
    assert fewer.gain > detectable(spread, seeds=8, images=IMAGES, looks=Looks(5, 8, margin=0.0025))


def test_who_is_the_best_of_several_has_to_show_more(outcomes: Callable[..., Outcomes]) -> None:
    arrays = [right(seed) for seed in (1, 2, 3)]
    known = found(*(outcomes(name, array) for name, array in zip("abc", arrays, strict=True)))
    several = replace(RECORD, participants=tuple(finalist(r) for r in (2, 4, 8)))
    (alone,) = measured_powers(known, RECORD, MEASURES["accuracy"], 0.0025)
    (best,) = measured_powers(known, several, MEASURES["accuracy"], 0.0025)
    assert best.gain > 1.03 * alone.gain


def test_each_recipe_has_its_own_and_one_without_two_seeds_has_none(outcomes: Callable[..., Outcomes]) -> None:
    record = replace(RECORD, recipes={"default": {}, "long": {"epochs": 9}, "new": {"epochs": 3}})
    steady = np.zeros((4, IMAGES), dtype=bool)
    steady[:, :300] = True
    steady[np.arange(4), np.arange(4)] = False
    known = found(outcomes("a", right(1)), outcomes("a", steady, "long"), outcomes("a", right(2, seeds=1), "new"))
    shown = measured_powers(known, record, MEASURES["accuracy"], 0.0025)
    assert [one.recipe for one in shown] == ["default", "long"]
    assert shown[1].gain < shown[0].gain


def test_any_measure_is_measured_but_one_that_is_no_mean_over_images(outcomes: Callable[..., Outcomes]) -> None:
    losses = np.random.default_rng(0).random((3, IMAGES)).astype(np.float32)
    (shown,) = measured_powers(found(outcomes("a", losses)), RECORD, MEASURES["loss"], 0.0025)
    assert 0.0 < shown.gain < 1.0
    pixels = np.random.default_rng(0).integers(1, 50, (3, IMAGES, 3, 2), dtype=np.int32)
    pixels[:, :, 0] = pixels.min(axis=2)
    assert measured_powers(found(outcomes("a", pixels)), RECORD, MEASURES["miou"], 0.0025)
    alone = found(outcomes("a", losses.mean(axis=1, keepdims=True)))
    assert measured_powers(alone, RECORD, MEASURES["loss"], 0.0025) == ()
    alike = found(outcomes("a", np.ones((3, IMAGES), dtype=bool)))
    assert measured_powers(alike, RECORD, MEASURES["accuracy"], 0.0025) == ()


def test_single_trainings_show_as_much_as_a_normal_test_of_their_images() -> None:
    gain, images = gain_of_single_trainings(0.9, 300), 300
    rng = np.random.default_rng(1)
    # Of 0.09: a tenth between the networks' images, twice six tenths by chance of the two trainings.
    error = np.sqrt(0.09 * (0.1 + 2 * 0.6) / images)
    seen = gain + error * rng.standard_normal(20_000)
    assert (np.abs(seen) > 1.96 * error).mean() == pytest.approx(0.8, abs=0.01)


def test_a_launch_says_what_search_and_retraining_can_show() -> None:
    config = SearchConfig.from_dict({})
    lines = power_of_launch(config, data.load(config.data))
    said = " ".join(lines)
    assert "in the search 5.66 points: one training each, 287 validation images" in said
    best = assumed_power(0.9, 359, looks_at((3, 12), 0.0025, 3), (3, 12))
    assert best is not None
    assert f"in a retraining {100 * best.gain:.2f} points: 3 to 12 seeds each, 359 test images" in said
    assert "half a point takes 7," in said
    other = SearchConfig.from_dict({"objectives": ["loss", "params"]})
    assert power_of_launch(other, data.load(other.data)) == [
        "only trainings can tell which differences in loss show: `retrain --dry-run` after two seeds"
    ]
