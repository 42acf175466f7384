"""What seeds and images can show."""

import numpy as np
import pytest

from fusion_ops.errors import SpecError
from reports.comparison import Looks, Spread, detectable, images_needed, power_at, seeds_needed
from reports.comparison.components import components
from reports.comparison.interval import half_width
from reports.comparison.paths import gains_shown

SPREAD = Spread(seed=0.002, image=0.3, rest=1.0)


class TestPower:
    @pytest.mark.parametrize(("seeds", "images"), [(3, 300), (8, 100)])
    def test_the_promise_is_kept(self, seeds, images):
        rng = np.random.default_rng(0)
        gain = detectable(SPREAD, seeds=seeds, images=images, margin=0.0)
        shape, own = (1500, seeds, images), np.sqrt(SPREAD.image / 2)
        arms = [
            mean
            + own * rng.normal(size=(1500, 1, images))
            + np.sqrt(SPREAD.seed) * rng.normal(size=(1500, seeds, 1))
            + rng.normal(size=shape)
            for mean in (gain, 0.0)
        ]
        parts = components(*arms)
        assert (parts.gain > half_width(parts, 0.95)).mean() == pytest.approx(0.8, abs=0.05)

    def test_without_a_difference_it_is_half_of_what_may_go_wrong(self):
        assert power_at(0.0, SPREAD, seeds=12, images=5000, margin=0.0) == pytest.approx(0.025, abs=0.005)

    def test_more_of_anything_shows_less(self):
        shown = [detectable(SPREAD, seeds=s, images=n) for s, n in [(3, 200), (6, 200), (6, 800)]]
        assert shown == sorted(shown, reverse=True)
        assert detectable(SPREAD, seeds=3, images=200, power=0.9) > shown[0]

    def test_a_margin_has_to_be_passed(self):
        assert detectable(SPREAD, seeds=12, images=1_000_000, margin=0.1) > 0.065
        assert detectable(SPREAD, seeds=12, images=1_000_000, margin=0.0) < 0.06

    def test_what_is_needed_is_just_enough(self):
        seeds = seeds_needed(0.1, SPREAD, images=1000, margin=0.0)
        assert power_at(0.1, SPREAD, seeds=seeds, images=1000, margin=0.0) >= 0.8
        assert power_at(0.1, SPREAD, seeds=seeds - 1, images=1000, margin=0.0) < 0.8
        images = images_needed(0.1, SPREAD, seeds=8, margin=0.0)
        assert power_at(0.1, SPREAD, seeds=8, images=images, margin=0.0) >= 0.8
        assert power_at(0.1, SPREAD, seeds=8, images=images - 1, margin=0.0) < 0.8

    def test_what_cannot_be_had_is_none(self):
        assert seeds_needed(0.005, SPREAD, images=200) is None
        assert images_needed(0.005, SPREAD, seeds=3) is None


class TestLooks:
    def test_looking_again_costs_power(self):
        looks = Looks(3, 12)
        settings = {"seeds": 12, "images": 1000}
        assert 1.02 < detectable(SPREAD, looks=looks, **settings) / detectable(SPREAD, **settings) < 1.3
        assert power_at(0.1, SPREAD, looks=looks, **settings) < power_at(0.1, SPREAD, **settings)
        assert seeds_needed(0.1, SPREAD, images=1000, looks=looks) > seeds_needed(0.1, SPREAD, images=1000)
        assert images_needed(0.1, SPREAD, seeds=8, looks=looks) > images_needed(0.1, SPREAD, seeds=8)

    def test_one_look_shows_what_a_fixed_design_shows(self):
        for spread in (SPREAD, Spread(0.0, 0.25, 1.0), Spread(0.02, 0.0, 1.0)):
            once = detectable(spread, seeds=5, images=400, margin=0.0, looks=Looks(5, 5, margin=0.0))
            assert once == pytest.approx(detectable(spread, seeds=5, images=400, margin=0.0), rel=0.06)

    def test_an_early_look_can_show_what_the_last_one_does_not(self):
        spread, looks = Spread(0.0, 0.25, 1.0), Looks(3, 6, margin=0.0)
        shown = [gains_shown(spread, looks, seeds=seeds, images=400) for seeds in (5, 6)]
        assert 0 < (shown[1] == shown[0]).mean() < 1
        early, late = ((gains < 0.12).mean() for gains in shown)
        assert 0.5 < early < late < 0.9

    def test_margin_and_confidence_are_those_of_the_looks_unless_given(self):
        settings = {"seeds": 12, "images": 1_000_000}
        narrow, wide = Looks(3, 12, margin=0.0), Looks(3, 12, margin=0.1, confidence=0.99)
        assert detectable(SPREAD, looks=wide, **settings) > detectable(SPREAD, looks=narrow, **settings)
        given = detectable(SPREAD, looks=wide, margin=0.0, confidence=0.95, **settings)
        assert given == pytest.approx(detectable(SPREAD, looks=narrow, **settings))

    def test_what_is_needed_is_no_less_than_the_first_look(self):
        assert seeds_needed(5.0, SPREAD, images=1000, looks=Looks(4, 12)) == 4
        assert seeds_needed(5.0, SPREAD, images=1000) == 2


class TestErrors:
    @pytest.mark.parametrize(("seeds", "images"), [(1, 100), (3, 1)])
    def test_numbers_too_small(self, seeds, images):
        with pytest.raises(SpecError, match=rf"got {seeds} and {images}\. Plan for 3 seeds"):
            detectable(SPREAD, seeds=seeds, images=images)
        assert detectable(SPREAD, seeds=3, images=100) > 0

    @pytest.mark.parametrize("power", [0.2, 1.0])
    def test_power_is_a_probability(self, power):
        with pytest.raises(SpecError, match="`power` must be"):
            detectable(SPREAD, seeds=3, images=100, power=power)
