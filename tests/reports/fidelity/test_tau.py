import numpy as np
import pytest
from scipy import stats

from reports.fidelity import kendall, top_regret


@pytest.mark.parametrize("seed", range(5))
def test_it_is_scipys_tau_b_with_and_without_ties(seed):
    rng = np.random.default_rng(seed)
    x, y = rng.integers(0, 3 + 20 * seed, (2, 700))
    found = kendall(x, y)
    assert found.value == pytest.approx(stats.kendalltau(x, y).statistic, abs=1e-12)
    assert found.count == 700
    assert found.low < found.value < found.high


def test_a_weight_counts_as_so_many_equal_observations_would_that_tie():
    x, y, weights = [1, 2, 3, 4, 5.0], [2, 1, 4, 3, 5.0], [1, 3, 1, 2, 1]
    copied = stats.kendalltau(np.repeat(x, weights), np.repeat(y, weights)).statistic
    assert kendall(x, y, weights).value == pytest.approx(copied)


@pytest.mark.parametrize(("count", "rho"), [(12, 0.5), (40, 0.0), (40, 0.9)])
def test_its_interval_holds_the_truth_in_95_of_100(count, rho):
    rng = np.random.default_rng(1)
    truth = 2 / np.pi * np.arcsin(rho)
    found = []
    for _ in range(400):
        x, z = rng.normal(size=(2, count))
        found.append(kendall(x, rho * x + np.sqrt(1 - rho**2) * z))
    held = np.mean([tau.low <= truth <= tau.high for tau in found])
    assert 0.92 <= held <= 0.995


def test_perfect_order_of_few_is_no_certainty():
    assert (kendall(range(10), range(10)).value, kendall(range(10), range(10)).high) == (1, 1)
    assert 0 < kendall(range(10), range(10)).low < 0.3
    assert kendall(range(10), range(10, 0, -1)).high > -0.3
    assert kendall(range(200), range(200)).low > 0.9


def test_what_cannot_be_ranked_has_no_tau():
    assert kendall([1, 2, 3], [1, 2, 3]) is None
    assert kendall([1, 1, 1, 1], [1, 2, 3, 4]) is None
    assert kendall([1, np.nan, 3, 4], [1, 2, 3, 4]) is None


def test_regret_is_what_the_early_best_lack_at_the_end():
    early, final = [0.5, 0.4, 0.3, 0.2], [0.80, 0.90, 0.95, 0.70]
    assert top_regret(early, final, 1) == pytest.approx(0.15)
    assert top_regret(early, final, 2) == pytest.approx(0.05)
    assert top_regret(early, final, 3) == 0
    assert top_regret([], [], 1) is None


def test_of_equals_the_worse_is_taken_and_one_that_stands_for_several_takes_their_places():
    assert top_regret([0.5, 0.5], [0.9, 0.8], 1) == pytest.approx(0.1)
    assert top_regret([0.5, 0.4], [0.8, 0.9], 2) == 0
    assert top_regret([0.5, 0.4], [0.8, 0.9], 2, [3, 1]) == pytest.approx(0.1)


@pytest.mark.parametrize("apart", [8, 80])
def test_its_error_is_that_of_leaving_out_one_at_a_time_with_and_without_ties(apart):
    rng = np.random.default_rng(0)
    x = rng.normal(size=80)
    values = np.stack([x, 0.7 * x + 0.7 * rng.normal(size=80)])
    x, y = values[0], np.where(values[1] >= np.sort(values[1])[-apart], values[1], -9.0)
    left = [stats.kendalltau(np.delete(x, out), np.delete(y, out)).statistic for out in range(80)]
    error = np.sqrt(79 / 80 * ((left - np.mean(left)) ** 2).sum())
    found = kendall(x, y)
    half = (np.arctanh(found.high) - np.arctanh(found.low)) / 2
    assert half * (1 - found.value**2) / stats.t.ppf(0.975, 78) == pytest.approx(error, rel=0.05)
