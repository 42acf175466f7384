"""What scores vary by."""

import numpy as np
import pytest

from fusion_ops.errors import DataError, SpecError
from reports.comparison import Spread, compare


class TestSpread:
    def test_measured_is_what_was_drawn(self):
        rng = np.random.default_rng(1)
        arms = [
            np.sqrt(0.15) * rng.normal(size=3000)
            + np.sqrt(0.05) * rng.normal(size=(60, 1))
            + rng.normal(size=(60, 3000))
            for _ in range(2)
        ]
        found = Spread.measured(compare(*arms).parts)
        assert (found.seed, found.image, found.rest) == pytest.approx((0.05, 0.3, 1.0), rel=0.25)

    def test_assumed_is_largest_at_a_half(self):
        assert Spread.assumed(0.5).rest > Spread.assumed(0.9).rest > Spread.assumed(0.99).rest
        assert Spread.assumed(0.9).seed == 0.0

    @pytest.mark.parametrize("accuracy", [0.0, 1.0, 90])
    def test_an_accuracy_lies_between_0_and_1(self, accuracy):
        with pytest.raises(SpecError, match=r"90 % is 0\.9"):
            Spread.assumed(accuracy)


class TestPooled:
    def arms(self, *seeds):
        """Return networks with the spread (0.05, 0.3, 1)."""
        rng = np.random.default_rng(2)
        common = rng.normal(size=3000)
        return [
            common
            + np.sqrt(0.15) * rng.normal(size=3000)
            + np.sqrt(0.05) * rng.normal(size=(count, 1))
            + rng.normal(size=(count, 3000))
            for count in seeds
        ]

    def test_it_is_what_was_drawn_however_many_seeds_each_network_has(self):
        found = Spread.pooled(self.arms(*([2, 3, 6] * 12)))
        assert (found.seed, found.image, found.rest) == pytest.approx((0.05, 0.3, 1.0), rel=0.25)

    def test_of_two_with_as_many_seeds_it_is_what_their_comparison_shows(self):
        arms = self.arms(5, 5)
        found, measured = Spread.pooled(arms), Spread.measured(compare(*arms).parts)
        assert (found.seed, found.image, found.rest) == pytest.approx((measured.seed, measured.image, measured.rest))

    def test_a_single_seed_is_left_out(self):
        arms = self.arms(4, 3)
        assert Spread.pooled([*arms, arms[0][:1]]) == Spread.pooled(arms)

    def test_of_one_network_images_are_assumed_to_make_a_sixth_of_the_rest(self):
        found = Spread.pooled(self.arms(40))
        assert found.image == pytest.approx(found.rest / 6)
        assert found.rest == pytest.approx(1.0, rel=0.1)

    @pytest.mark.parametrize(
        ("arrays", "said"),
        [
            ([], "got none"),
            ([np.zeros((1, 9))], "got none"),
            ([np.eye(3), np.eye(2, 4)], r"got \[3, 4\] of them"),
            ([np.ones((3, 9)), np.ones((3, 9))], "the same scores in all"),
            ([np.eye(3)[:1].repeat(3, 0)] * 2, "the same scores in all"),
            ([np.ones(9)], "got a network of shape"),
        ],
    )
    def test_what_shows_no_spread(self, arrays, said):
        with pytest.raises(DataError, match=said):
            Spread.pooled(arrays)
        assert Spread.assumed(0.9).rest > 0
