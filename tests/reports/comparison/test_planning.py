"""Seeds where they decide."""

import numpy as np
import pytest

from fusion_ops.errors import SpecError, UnknownNameError
from reports.comparison import SeedPlan, Spread, compare

IMAGES = 300
PAIR = [("a", "b")]


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def scores(rng, seeds, mean=0.0, *, seed=0.0, rest=1.0):
    return mean + seed * rng.normal(size=(seeds, 1)) + rest * rng.normal(size=(seeds, IMAGES))


class TestFirstSeeds:
    def test_everyone_gets_the_least_first_those_with_the_fewest_before(self, rng):
        plan, pairs = SeedPlan(), [("a", "b"), ("c", "b")]
        have = {}
        order = []
        for _ in range(9):
            standing = plan.standing({name: scores(rng, count) for name, count in have.items()}, pairs)
            assert {state.state for state in standing.pairs} == {"untrained"} or have["a"] >= 3
            order.append(standing.train)
            have[standing.train] = have.get(standing.train, 0) + 1
        assert order == ["a", "b", "c"] * 3

    def test_what_is_under_way_is_not_asked_for_again(self, rng):
        standing = SeedPlan().standing({}, PAIR, pending={"a": 3, "b": 3})
        assert (standing.train, standing.done) == (None, False)

    def test_an_empty_array_is_no_training(self):
        standing = SeedPlan().standing({"a": np.empty((0, IMAGES))}, PAIR)
        assert standing.train == "a"


class TestEnds:
    def test_a_clear_difference_is_closed_after_the_first_seeds(self, rng):
        standing = SeedPlan().standing({"a": scores(rng, 3, 2.0), "b": scores(rng, 3)}, PAIR)
        (pair,) = standing.pairs
        assert (pair.state, pair.contrast.outcome, pair.chance) == ("closed", "better", 1.0)
        assert (standing.train, standing.done) == (None, True)

    def test_the_same_is_closed_too(self, rng):
        standing = SeedPlan(margin=2.0).standing({"a": scores(rng, 3), "b": scores(rng, 3)}, PAIR)
        assert standing.pairs[0].contrast.outcome == "same"

    def test_what_is_hopeless_gets_no_further_seed(self):
        differences = np.tile([1.0, -1.0], IMAGES // 2)  # images leave the gain open, whatever the seeds
        noise = np.random.default_rng(3).normal(size=(2, 3, IMAGES)) * 0.1
        standing = SeedPlan().standing({"a": noise[0] + differences, "b": noise[1]}, PAIR)
        assert (standing.pairs[0].state, standing.train, standing.done) == ("hopeless", None, True)
        willing = SeedPlan(hopeless=0.0).standing({"a": noise[0] + differences, "b": noise[1]}, PAIR)
        assert (willing.pairs[0].state, willing.train is None) == ("open", False)

    def test_seeds_run_out(self):
        rng = np.random.default_rng(4)
        standing = SeedPlan(most=4).standing({"a": scores(rng, 4), "b": scores(rng, 4)}, PAIR)
        assert (standing.pairs[0].state, standing.train, standing.done) == ("exhausted", None, True)

    def test_looks_of_before_widen_the_interval_and_do_not_change_who_is_trained(self, rng):
        arms = {"a": scores(rng, 5, 0.3, seed=0.3), "b": scores(rng, 5, seed=0.3)}
        fresh, looked = SeedPlan(5, 8).standing(arms, PAIR), SeedPlan(5, 8, looked=(3, 12)).standing(arms, PAIR)
        widths = [one.pairs[0].contrast.high - one.pairs[0].contrast.low for one in (fresh, looked)]
        assert widths[1] > 1.02 * widths[0]
        whole = SeedPlan(3, 12).standing(arms, PAIR).pairs[0].contrast
        assert (looked.pairs[0].contrast.low, looked.pairs[0].contrast.high) == (whole.low, whole.high)
        exhausted = {"a": scores(rng, 8, seed=0.3), "b": scores(rng, 8, seed=0.3)}
        assert SeedPlan(5, 8, looked=(3, 12)).standing(exhausted, PAIR).train is None

    def test_the_interval_is_wider_than_that_of_a_single_look(self, rng):
        arms = {"a": scores(rng, 3, 0.2, seed=0.3), "b": scores(rng, 3, seed=0.3)}
        found, alone = SeedPlan().standing(arms, PAIR).pairs[0].contrast, compare(arms["a"], arms["b"])
        assert found.high - found.low > 1.5 * (alone.high - alone.low)
        assert (found.gain, found.confidence) == (alone.gain, 0.95)

    @pytest.mark.parametrize("mean", np.linspace(0.0, 0.6, 9))
    def test_p_fits_the_interval(self, rng, mean):
        found = SeedPlan().standing({"a": scores(rng, 4, mean), "b": scores(rng, 3)}, PAIR).pairs[0].contrast
        assert (found.p < 0.05) == (not found.low <= 0.0 <= found.high)

    def test_several_pairs_hold_together(self, rng):
        arms = {name: scores(rng, 3) for name in "abc"}
        one = SeedPlan().standing(arms, PAIR).pairs[0].contrast
        two = SeedPlan().standing(arms, [*PAIR, ("c", "b")]).pairs[0].contrast
        assert two.low < one.low < one.high < two.high


class TestNext:
    def open_arms(self, rng, **seeds):
        """Return arms whose pairs stay open: seeds differ a lot."""
        return {name: scores(rng, count, seed=1.0) for name, count in seeds.items()}

    def test_the_network_with_fewer_seeds_is_next_even_if_it_has_shown_little_spread(self, rng):
        spread = np.array([[-1.0], [0.0], [1.0], [0.0]])
        arms = {"a": spread + scores(rng, 4), "b": 0.2 + 0.2 * spread[:3] + scores(rng, 3)}
        assert SeedPlan(hopeless=0.0).standing(arms, PAIR).train == "b"
        assert SeedPlan(hopeless=0.0).standing(arms, PAIR, pending={"b": 9}).train == "a"

    def test_a_reference_in_common_serves_all_pairs(self, rng):
        pairs = [(name, "b") for name in "acd"]
        spread = np.array([[-1.0], [0.0], [1.0]])
        arms = {name: spread + 0.1 * scores(rng, 3) for name in "abcd"}
        assert SeedPlan(hopeless=0.0).standing(arms, pairs).train == "b"

    def test_only_arms_of_open_pairs_are_trained(self, rng):
        arms = {"a": scores(rng, 3, 5.0), "b": scores(rng, 3), "c": scores(rng, 3, 0.1, seed=0.2)}
        standing = SeedPlan(hopeless=0.0).standing(arms, [("a", "b"), ("c", "b")])
        assert [state.state for state in standing.pairs] == ["closed", "open"]
        assert standing.train in ("b", "c")

    def test_no_arm_has_more_than_the_most(self, rng):
        arms = self.open_arms(rng, a=12, b=3)
        arms["a"] += arms["b"].mean() - arms["a"].mean()
        assert SeedPlan(hopeless=0.0).standing(arms, PAIR).train == "b"
        standing = SeedPlan(hopeless=0.0).standing(arms, PAIR, pending={"b": 9})
        assert (standing.train, standing.done) == (None, False)

    def test_it_always_ends(self, rng):
        plan, arms = SeedPlan(most=5, hopeless=0.0), self.open_arms(rng, a=3, b=3, c=3)
        pairs = [("a", "b"), ("c", "b")]
        for _ in range(7):
            name = plan.standing(arms, pairs).train
            if name is None:
                break
            arms[name] = np.concatenate([arms[name], scores(rng, 1, seed=1.0)])
        assert plan.standing(arms, pairs).done
        assert max(len(array) for array in arms.values()) == 5


class TestErrorRates:
    def test_equal_networks_are_rarely_told_apart_however_often_one_looks(self):
        rng, wrong, held, runs = np.random.default_rng(5), 0, 0, 200
        plan = SeedPlan(hopeless=0.0, most=8)
        for _ in range(runs):
            arms = {name: scores(rng, 8, seed=0.1)[:, :50] for name in "ab"}
            found = followed(plan, arms)
            wrong += found.outcome in ("better", "worse")
            held += found.low <= 0.0 <= found.high
        assert wrong / runs <= 0.07
        assert held / runs >= 0.93


def followed(plan, arms):
    have = dict.fromkeys(arms, plan.least)
    while True:
        standing = plan.standing({name: arms[name][: have[name]] for name in arms}, PAIR)
        if standing.done:
            return standing.pairs[0].contrast
        have[standing.train] += 1


class TestErrors:
    def test_hopeless_is_a_probability(self):
        with pytest.raises(SpecError, match=r"`hopeless`.*got 1.0. 0.15 is the usual one"):
            SeedPlan(hopeless=1.0)
        assert SeedPlan(hopeless=0.15) == SeedPlan()

    def test_a_pending_arm_has_to_be_in_a_pair(self):
        with pytest.raises(UnknownNameError, match="unknown arm `x`"):
            SeedPlan().standing({}, PAIR, pending={"x": 1})

    def test_variances_are_not_negative(self):
        with pytest.raises(SpecError, match=r"`Spread.assumed\(accuracy\)` is a guess"):
            Spread(0.0, -1.0, 1.0)
