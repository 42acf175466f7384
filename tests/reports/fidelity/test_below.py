"""What is summed without a look at every pair is what all pairs give, ties and weights included."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.fidelity.below import agreement, apart
from reports.fidelity.regret import regret


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 60), st.sampled_from([1, 2, 5, 10**6]), st.sampled_from([1, 3, 10**6]), st.integers(0, 99))
def test_sums_over_all_pairs(count, across, up, seed) -> None:
    rng = np.random.default_rng(seed)
    x, y = (rng.integers(-levels, levels, count).astype(float) for levels in (across, up))
    weights = rng.random(count)
    over, above = np.sign(x[:, None] - x), np.sign(y[:, None] - y)
    assert agreement(x, y, weights) == pytest.approx((over * above) @ weights, abs=1e-9)
    assert apart(x, weights) == pytest.approx(over**2 @ weights, abs=1e-9)


def test_resamples_are_the_same_however_many_are_looked_at_together(monkeypatch) -> None:
    rng = np.random.default_rng(0)
    early, final = rng.random(41), rng.random(41)
    together = regret(early, final, 5)
    monkeypatch.setattr(importlib.import_module("reports.fidelity.regret"), "AT_A_TIME", 100)
    assert regret(early, final, 5) == together
