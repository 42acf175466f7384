"""Looking again after every training."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import ndtri

from fusion_ops.errors import SpecError
from reports.comparison.components import components
from reports.comparison.interval import half_width
from reports.comparison.looks import confidences, information_times, repeated_confidence
from reports.comparison.sequential import Looks


def walked(rng, times, walks):
    """Return Z at each time of Brownian motions."""
    steps = np.sqrt(np.diff(times, prepend=0.0))
    return np.cumsum(rng.normal(size=(walks, len(times))) * steps, axis=1) / np.sqrt(times)


class TestConfidences:
    @pytest.mark.parametrize(("step", "most"), [(0, 12), (10, 12), (19, 12), (0, 60), (19, 100)])
    def test_all_looks_together_err_by_what_is_spent(self, step, most):
        walks = walked(np.random.default_rng(step), information_times(step / 20, 3, most), 40_000)
        bounds = ndtri(0.5 + np.array(confidences(step, 3, most, 0.95)) / 2)
        assert (np.abs(walks) < bounds).all(axis=1).mean() == pytest.approx(1 - 0.8 * 0.05, abs=0.004)

    def test_a_single_look_costs_nothing_but_what_is_kept_back(self):
        assert confidences(0, 5, 5, 0.95) == pytest.approx((0.96,))

    def test_early_looks_have_to_be_surer(self):
        early, *_, last = confidences(0, 3, 12, 0.95)
        assert early == pytest.approx(1 - 0.8 * 0.05 * (3 / 12) ** 2)
        assert 0.96 < last < 0.985

    def test_looks_that_are_alike_cost_less(self):
        assert confidences(19, 3, 12, 0.95)[0] < confidences(10, 3, 12, 0.95)[0] < confidences(0, 3, 12, 0.95)[0]

    def test_many_studies_at_once_are_each_their_own(self):
        shares, times = np.array([0.0, 0.52, 0.99]), np.array([0.3, 0.7, 1.0])
        together = repeated_confidence(shares, times, 3, 12, 0.95)
        alone = [float(repeated_confidence(q, t, 3, 12, 0.95)) for q, t in zip(shares, times, strict=True)]
        assert together == pytest.approx(alone)
        assert together[2] == pytest.approx(confidences(19, 3, 12, 0.95)[-1])


class TestLooks:
    def test_information_of_the_first_look_is_that_of_the_seeds(self):
        assert information_times(0.0, 3, 12)[0] == pytest.approx(3 / 12)
        assert information_times(1.0, 3, 12) == pytest.approx(np.ones(19))

    def test_no_hope_where_images_leave_too_much_open(self):
        rng = np.random.default_rng(0)
        image = rng.normal(size=400)
        arms = [image + sign * np.tile([0.5, -0.5], 200) + 0.05 * rng.normal(size=(3, 400)) for sign in (1, -1)]
        assert Looks(margin=0.0025).chance(components(*arms)) < 0.05

    def test_hope_where_seeds_leave_much_open_and_the_gain_is_large(self):
        rng = np.random.default_rng(1)
        arms = [mean + np.array([[-0.5], [0.0], [0.5]]) + 0.1 * rng.normal(size=(3, 400)) for mean in (1.0, 0.0)]
        assert Looks().chance(components(*arms)) > 0.7

    def test_a_gain_as_large_as_the_last_interval_has_an_even_chance(self):
        rng = np.random.default_rng(3)
        parts = components(*(rng.normal(size=(3, 400)) for _ in range(2)))
        looks, last = Looks(margin=0.0), parts.with_seeds(12, 12)
        half = half_width(last, looks.confidence_now(last))
        assert looks.chance(replace(parts, gain=half)) == pytest.approx(0.5, abs=0.01)
        assert looks.chance(replace(parts, gain=1.1 * half)) > 0.55
        assert looks.chance(replace(parts, gain=0.9 * half)) < 0.45

    def test_a_margin_that_is_wide_enough_will_be_shown(self):
        rng = np.random.default_rng(2)
        arms = [rng.normal(size=(3, 400)) for _ in range(2)]
        assert Looks(margin=5.0).chance(components(*arms)) == 1.0

    @pytest.mark.parametrize(("least", "most"), [(1, 5), (5, 4), (0, 0)])
    def test_seeds_are_a_range(self, least, most):
        with pytest.raises(SpecError, match=rf"got {least}\.\.{most}\. 3\.\.12 is usual"):
            Looks(least, most)
        assert Looks(3, 12).most == 12
