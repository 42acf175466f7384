"""Several comparisons at once."""

import numpy as np
import pytest
from scipy.special import ndtri

from reports.comparison import compare, simultaneous
from reports.comparison.family import each_confidence, of_the_best


@pytest.fixture
def arms():
    rng = np.random.default_rng(0)
    return [mean + rng.normal(size=(3, 60)) for mean in (0.0, 0.2, 0.45, 0.9)]


def test_one_comparison_stays_as_it_is(arms):
    alone = compare(arms[1], arms[0])
    (corrected,) = simultaneous([alone])
    assert (corrected.low, corrected.high, corrected.p) == pytest.approx((alone.low, alone.high, alone.p))


def test_intervals_are_wider_and_p_values_larger(arms):
    single = [compare(arm, arms[0]) for arm in arms[1:]]
    for before, after in zip(single, simultaneous(single), strict=True):
        assert after.low < before.low < before.high < after.high
        assert after.p == pytest.approx(1 - (1 - before.p) ** 3)
        assert (after.gain, after.confidence) == (before.gain, 0.95)


@pytest.mark.parametrize("shift", np.linspace(0.0, 0.8, 9))
def test_p_values_fit_intervals(arms, shift):
    for found in simultaneous([compare(arm + shift, arms[0], margin=0.0) for arm in arms[:3]]):
        assert (found.p < 0.05) == (not found.low <= 0.0 <= found.high)


def test_all_intervals_hold_together():
    rng, held = np.random.default_rng(1), []
    for _ in range(300):
        reference = rng.normal(size=(4, 40))
        found = simultaneous([compare(rng.normal(size=(4, 40)), reference) for _ in range(4)])
        held.append(all(one.low <= 0.0 <= one.high for one in found))
    assert np.mean(held) >= 0.93


def test_no_comparison_is_none():
    assert simultaneous([]) == []


class TestTheBest:
    @pytest.mark.parametrize("count", [1, 2, 3, 6])
    def test_the_largest_of_several_errors_is_covered(self, count):
        errors = np.random.default_rng(count).normal(size=(200_000, count)).max(axis=1)
        held = np.abs(errors) <= ndtri(0.5 + of_the_best(0.95, count) / 2)
        assert held.mean() == pytest.approx(0.95, abs=0.002)

    def test_it_is_less_than_all_of_them_together_take(self):
        assert of_the_best(0.95, 3) == pytest.approx(0.9661, abs=1e-4)
        assert all(0.95 < of_the_best(0.95, count) < each_confidence(0.95, count) for count in (3, 4, 12))
