"""Winner's curse and rank agreement."""

import math

import numpy as np
import pytest
from scipy import stats

from fusion_ops.errors import DataError
from reports.comparison import rank_agreement, winners_curse


class TestWinnersCurse:
    def test_it_is_the_t_interval_of_the_retrained_mean(self):
        found = winners_curse(0.93, [0.91, 0.92, 0.90])
        low, high = stats.ttest_1samp([0.91, 0.92, 0.90], 0.0).confidence_interval(0.95)
        assert (found.value, found.low, found.high) == pytest.approx((0.02, 0.93 - high, 0.93 - low))

    def test_a_single_training_says_nothing(self):
        with pytest.raises(DataError, match=r"got 1\. Train another seed"):
            winners_curse(0.9, [0.9])
        assert winners_curse(0.9, [0.9, 0.91]).value == pytest.approx(-0.005)


class TestRankAgreement:
    def test_orders_alike_and_reversed(self):
        assert rank_agreement([1, 2, 3], [10, 20, 30]).value == 1.0
        assert rank_agreement([1, 2, 3], [30, 20, 10]).value == -1.0

    def test_with_ties_it_is_tau_b(self):
        assert rank_agreement([1, 1, 2, 3], [1, 2, 2, 3]).value == pytest.approx((4 - 0) / 5)

    def test_it_is_the_tau_of_others(self):
        rng = np.random.default_rng(1)
        first, second = rng.integers(0, 6, (2, 15))
        assert rank_agreement(first, second).value == pytest.approx(stats.kendalltau(first, second).statistic)

    def test_few_networks_say_nothing(self):
        assert (rank_agreement([1, 2, 3, 4], [1, 2, 3, 4]).low) == -1.0

    def test_the_interval_covers(self):
        rng, truth, held = np.random.default_rng(0), 2 / math.pi * math.asin(0.6), []
        for _ in range(600):
            pairs = rng.multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]], size=12)
            found = rank_agreement(pairs[:, 0], pairs[:, 1])
            held.append(found.low <= truth <= found.high)
        assert 0.93 <= np.mean(held) <= 0.985

    def test_equal_scores_have_no_order(self):
        assert math.isnan(rank_agreement([1, 1, 1], [1, 2, 3]).value)

    @pytest.mark.parametrize(("first", "second"), [([1, 2], [1, 2, 3]), ([1], [1]), ([1, math.nan], [1, 2])])
    def test_what_cannot_be_ranked(self, first, second):
        with pytest.raises(DataError):
            rank_agreement(first, second)
