"""The regret of early choices with its interval, beside SciPy's bootstrap and planted truths."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from reports.fidelity import Regret, regret, top_regret


def drawn(rng: np.random.Generator, size: int, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Return early and final qualities: the early ones are the final ones and noise."""
    final = rng.normal(size=size)
    return final + noise * rng.normal(size=size), final


@pytest.mark.parametrize("most", [1, 3])
def test_the_interval_is_that_of_scipys_bootstrap(most: int) -> None:
    early, final = drawn(np.random.default_rng(0), 40, 1.0)
    weights = np.random.default_rng(1).integers(1, 3, 40).astype(float)
    found = regret(early, final, most, weights)
    assert found is not None

    def naive(x: np.ndarray, y: np.ndarray, w: np.ndarray) -> float:
        order = sorted(range(len(x)), key=lambda at: (-x[at], y[at]))
        taken, room = [], float(most)
        for at in order:
            if room > 0:
                taken.append(y[at])
                room -= w[at]
        return float(max(y) - max(taken))

    drawn_again = stats.bootstrap(
        (early, final, weights), naive, paired=True, vectorized=False, method="percentile", n_resamples=4000,
        rng=np.random.default_rng(2),
    ).bootstrap_distribution  # fmt: skip
    assert found.value == pytest.approx(naive(early, final, weights))
    assert found.value == top_regret(early, final, most, weights)
    # A regret takes few values, so that shares are compared: 500 draws beside 4,000.
    for end, share in ((found.low, 0.025), (found.high, 0.975)):
        assert np.mean(drawn_again < end - 1e-9) <= share + 0.02
        assert np.mean(drawn_again <= end + 1e-9) >= share - 0.02


def test_what_chance_loses_is_the_mean_over_all_picks() -> None:
    final = np.array([0.2, 0.9, 0.5, 0.7])
    found = regret([1, 2, 3, 4], final, 2)
    assert found is not None
    picks = [max(final[one], final[other]) for one, other in itertools.product(range(4), repeat=2)]
    assert found.chance == pytest.approx(0.9 - np.mean(picks))


def test_without_finite_values_there_is_none() -> None:
    assert regret([np.nan], [1.0], 1) is None
    found = regret([1.0], [1.0], 3)
    assert found is not None
    assert (found.value, found.low, found.high, found.chance) == (0, 0, 0, 0)


def test_an_early_epoch_that_tells_the_end_is_enough_evidence() -> None:
    found = [regret(*drawn(np.random.default_rng(seed), 40, 0.05), 3) for seed in range(20)]
    assert sum(one is not None and one.told for one in found) >= 19


@pytest.mark.parametrize(
    ("low", "high", "told"), [(0.0, 0.3, True), (0.1, 0.9, True), (0.0, 0.5, False), (0.0, 0.9, False)]
)
def test_what_may_be_nothing_and_may_be_chance_is_no_evidence(low: float, high: float, told: bool) -> None:
    assert Regret(0.2, low, high, chance=0.5).told == told


@pytest.mark.parametrize(("most", "least"), [(1, 0.85), (3, 0.9)])
def test_the_interval_holds_what_such_runs_lose_on_average(most: int, least: float) -> None:
    rng = np.random.default_rng(0)
    mean = np.mean([top_regret(*drawn(rng, 150, 1.0), most) or 0.0 for _ in range(2000)])
    found = [regret(*drawn(rng, 150, 1.0), most) for _ in range(60)]
    assert np.mean([one is not None and one.low <= mean <= one.high for one in found]) >= least
