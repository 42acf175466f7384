"""Whether a model of the operators foretells planted qualities."""

from __future__ import annotations

import numpy as np
import pytest

from reports.checks.leave_one_out import predicted
from spaces import Architecture, SearchSpace
from tests.reports.checks.conftest import Found, additive, ended
from tests.reports.conftest import record


class TestSurrogate:
    def test_an_additive_truth_is_predicted(self, found: Found, space: SearchSpace) -> None:
        check = found("surrogate", additive(space, noise=0.002, effect=0.02))
        assert check.status == "pass"
        assert float(check.numbers["skill"] or 0) > 0.8

    @pytest.mark.parametrize(
        ("seed", "status", "said"),
        [
            (1, "warning", "explains none of their variance: no better than guessing the mean."),
            (0, "unknown", "not enough evidence that this is more than chance."),
        ],
    )
    def test_noise_is_not_predicted(self, found: Found, space: SearchSpace, seed: int, status: str, said: str) -> None:
        networks, values = at_one_point(space, 0.0, seed)
        rng = np.random.default_rng(0)
        rows = [record(at, one, space, rng) | ended(float(values[at])) for at, one in enumerate(networks)]
        check = found("surrogate", rows)
        assert check.status == status
        assert check.reason.endswith(said)

    @pytest.mark.parametrize(
        ("error", "status"), [(0.01, "pass"), (0.014, "warning"), (0.08, "fail"), (0.0001, "warning")]
    )
    def test_what_the_sampler_predicted_counts_first(
        self, found: Found, space: SearchSpace, error: float, status: str
    ) -> None:
        rows = additive(space, noise=0.0, effect=0.2)
        rng = np.random.default_rng(5)
        for row in rows:
            row |= {"predicted": row["accuracy"] + float(rng.normal(0, error)), "doubt": 0.01}
        check = found("surrogate", rows)
        assert (check.status, check.numbers["model"]) == (status, "the sampler's model")
        inside = sum(abs(row["predicted"] - row["accuracy"]) <= 1.28155 * 0.01 for row in rows)
        assert check.numbers["covered"] == inside

    @pytest.mark.parametrize(("effect", "least", "most"), [(0.0, 0, 1), (0.02, 19, 20)])
    def test_a_null_is_no_skill_and_an_operator_at_one_point_is_some(
        self, space: SearchSpace, effect: float, least: int, most: int
    ) -> None:
        made = [predicted(*at_one_point(space, effect, seed)) for seed in range(20)]
        assert least <= sum(one.skill >= 0.02 and one.beyond_chance for one in made) <= most
        # 80 % intervals of 20 x 60 networks, which are not quite independent.
        held = [np.abs(one.measured - one.mean) <= 1.28155 * one.deviation for one in made]
        assert np.mean(held) == pytest.approx(0.8, abs=0.03)


def at_one_point(space: SearchSpace, effect: float, seed: int) -> tuple[list[Architecture], np.ndarray]:
    """Return random networks and qualities: noise, and what one operator adds at the last point."""
    rng = np.random.default_rng(seed)
    networks = [space.sample(rng) for _ in range(60)]
    there = np.array([one.choices[-1][1].op == "iaff" for one in networks])
    return networks, 0.8 + effect * there + rng.normal(0, 0.004, 60)
