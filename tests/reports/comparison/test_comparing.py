"""Two networks compared over seeds and images."""

import itertools
import math
from collections.abc import Iterator

import numpy as np
import pytest
from scipy import stats

import reports
from fusion_ops.errors import DataError, SpecError
from reports.comparison import compare, outcome
from reports.comparison.components import components
from reports.comparison.interval import ends


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def drawn(rng, seeds, images, *, seed=0.0, own=0.0, mean=0.0, common=None):
    """Return normal scores with effects of seeds, of images, and a rest of deviation 1."""
    common = rng.normal(size=images) if common is None else common
    image = common + own * rng.normal(size=images)
    return mean + image + seed * rng.normal(size=(seeds, 1)) + rng.normal(size=(seeds, images))


class TestByHand:
    def test_where_images_do_not_matter_it_is_welchs_test_of_the_seeds(self):
        first, second = np.array([0.1, 0.4, 0.5]), np.array([0.3, -0.2, 0.05, 0.1])
        found = compare(np.repeat(first[:, None], 7, axis=1), np.repeat(second[:, None], 7, axis=1))
        welch = stats.ttest_ind(first, second, equal_var=False)
        low, high = welch.confidence_interval(0.95)
        assert (found.gain, found.low, found.high, found.p) == pytest.approx(
            (first.mean() - second.mean(), low, high, welch.pvalue)
        )

    def test_where_seeds_do_not_matter_it_is_the_paired_test_of_the_images(self):
        differences = np.array([1.5, -0.5] * 10)  # of equal size around their mean: n − 1 degrees of freedom
        image = np.linspace(0, 3, 20)
        found = compare(np.tile(image + differences, (3, 1)), np.tile(image, (4, 1)))
        paired = stats.ttest_1samp(differences, 0.0)
        low, high = paired.confidence_interval(0.95)
        assert (found.low, found.high, found.p) == pytest.approx((low, high, paired.pvalue))

    def test_mean_squares_are_those_of_the_two_way_table(self, rng):
        first, second = rng.normal(size=(3, 5)), rng.normal(size=(4, 5))
        found = components(first, second)
        for arm, scores in enumerate((first, second)):
            seeds, images = scores.shape
            rest = sum(
                (scores[s, i] - scores[s].mean() - scores[:, i].mean() + scores.mean()) ** 2
                for s, i in itertools.product(range(seeds), range(images))
            ) / ((seeds - 1) * (images - 1))
            assert found.rest[arm] == pytest.approx(rest / seeds / images)
            assert found.between_seeds[arm] == pytest.approx(np.var(scores.mean(axis=1), ddof=1) / seeds)
        differences = first.mean(axis=0) - second.mean(axis=0)
        assert found.between_images == pytest.approx(np.var(differences, ddof=1) / 5)

    def test_few_images_that_make_the_difference_are_few_degrees_of_freedom(self):
        reference = np.zeros((3, 1000))
        candidate = reference.copy()
        candidate[:, :4] = 1.0
        freedom = components(candidate, reference).images_freedom
        assert freedom == pytest.approx(2 * 4, rel=0.02)

    def test_the_more_images_trainings_disagree_on_the_less_a_typical_one_matters(self):
        """Squared differences add up to (Σ squares + 1) / (m + 1) at least; what all got alike is not counted."""
        candidate, reference = np.ones((2, 2, 100))
        candidate[:, 10:20] = reference[:, 10:20] = 0.0
        for disagreed in (0, 1, 4):
            candidate[0, :disagreed] = reference[0, :disagreed] = 0.0
            found = components(candidate, reference).between_images
            assert found == pytest.approx(1 / (disagreed + 1) / 99 / 100)
        assert components(candidate + 2.0, reference + 2.0).between_images == 0.0  # no scores of right and wrong

    def test_where_the_variance_is_at_its_least_it_is_as_uncertain_as_its_least_certain_part(self):
        reference = 1.0 - np.eye(3, 60)  # every seed is wrong on one image, another one each
        found = components(np.roll(reference, 3, axis=1), reference)
        assert found.variance == pytest.approx(found.between_images / 10)
        assert found.freedom == 2

    @pytest.mark.parametrize(("mean", "covered"), [(5, 0.988), (8, 0.949), (20, 0.948)])
    def test_a_difference_in_few_images_is_covered(self, mean, covered):
        """Whether the interval holds the truth depends on the number of images alone, which is a Poisson number."""
        held = 0.0
        for count in range(60):
            candidate = np.zeros((2, 1000))
            candidate[:, :count] = 1.0
            parts = components(candidate, np.zeros((2, 1000)))
            low, high = ends(parts, 0.95)
            held += stats.poisson.pmf(count, mean) * (low <= mean / 1000 <= high)
        assert held == pytest.approx(covered, abs=0.002)


class TestProperties:
    @pytest.fixture
    def arms(self, rng):
        common = rng.normal(size=50)
        return (
            drawn(rng, 3, 50, seed=0.3, own=0.5, mean=0.4, common=common),
            drawn(rng, 5, 50, seed=0.1, own=0.5, common=common),
        )

    def test_swapping_the_networks_turns_the_interval_round(self, arms):
        one, other = compare(*arms), compare(*reversed(arms))
        assert (other.gain, other.low, other.high, other.p) == pytest.approx((-one.gain, -one.high, -one.low, one.p))
        assert other.seeds == (5, 3)

    def test_the_order_of_seeds_and_images_does_not_matter(self, arms, rng):
        order = rng.permutation(50)
        shuffled = [rng.permutation(scores, axis=0)[:, order] for scores in arms]
        one, other = compare(*arms), compare(*shuffled)
        assert (other.gain, other.low, other.high, other.p) == pytest.approx((one.gain, one.low, one.high, one.p))

    def test_the_unit_does_not_matter(self, arms):
        one, other = compare(*arms), compare(*(100 * scores + 7 for scores in arms), margin=0.25)
        assert (other.gain, other.low, other.high) == pytest.approx((100 * one.gain, 100 * one.low, 100 * one.high))
        assert other.p == pytest.approx(one.p)

    def test_p_is_the_level_at_which_the_interval_reaches_0(self, arms):
        found = compare(*arms)
        assert compare(*arms, confidence=1 - found.p).low == pytest.approx(0.0, abs=1e-9)

    def test_parts_of_the_standard_error_add_up(self, arms):
        parts = compare(*arms).parts
        rest = parts.rest[0] + parts.rest[1]
        assert parts.variance == pytest.approx(parts.images_only + parts.seeds_only + rest)

    def test_twice_the_seeds_halve_all_but_what_the_images_leave(self, arms):
        parts = compare(*arms).parts
        twice = parts.with_seeds(6, 10)
        assert twice.images_only == pytest.approx(parts.images_only)
        assert twice.variance - twice.images_only == pytest.approx((parts.variance - parts.images_only) / 2)
        assert sum(twice.rest) == pytest.approx(sum(parts.rest) / 2)
        assert twice.seeds == (6, 10)

    def test_what_other_seeds_would_give_is_what_they_give_on_average(self, rng):
        many = [
            components(*(drawn(rng, 12, 60, seed=0.4, own=0.5, common=common) for _ in range(2)))
            for common in rng.normal(size=(300, 60))
        ]
        few = [
            components(*(drawn(rng, 3, 60, seed=0.4, own=0.5, common=common) for _ in range(2)))
            for common in rng.normal(size=(300, 60))
        ]
        projected = np.mean([found.with_seeds(3, 3).variance for found in many])
        assert projected == pytest.approx(np.mean([found.variance for found in few]), rel=0.1)


class TestOutcome:
    @pytest.mark.parametrize(
        ("low", "high", "said"),
        [
            (0.01, 0.3, "better"),
            (0.0, 0.3, "undecided"),
            (-0.3, -0.01, "worse"),
            (-0.3, 0.3, "undecided"),
            (-0.1, 0.1, "same"),
            (0.01, 0.1, "same"),
            (-0.1, -0.01, "same"),
            (0.01, 0.11, "better"),
            (-0.11, 0.05, "undecided"),
            (0.2, 0.3, "better"),
        ],
    )
    def test_it_follows_from_the_interval(self, low, high, said):
        assert outcome(low, high, 0.1) == said

    def test_no_margin_means_that_nothing_is_the_same(self, rng):
        common = rng.normal(size=40)
        arms = [drawn(rng, 3, 40, common=common) for _ in range(2)]
        assert compare(*arms, margin=0.0).outcome == "undecided"
        assert compare(*arms, margin=10.0).outcome == "same"

    def test_networks_that_are_all_right_are_not_the_same_on_few_images(self):
        right = np.ones((3, 200), dtype=bool)
        found = compare(right, right)
        assert found.outcome == "undecided"
        assert found.high > 3.0 / 2 / 200  # the rule of three for a share that was never seen, one-sided halves

    def test_it_is_at_hand_under_a_short_name(self, rng):
        right = rng.random((3, 500)) < 0.9
        assert reports.compare(right, ~right).outcome == "better"
        assert reports.compare(right.tolist(), (~right).astype(int)).outcome == "better"


class TestCoverage:
    """Simulated studies; each of the two classical tests leaves the bounds in one of them."""

    @pytest.mark.parametrize(
        ("seed", "own", "seeds"),
        [(0.0, 0.0, 3), (0.3, 0.0, 3), (0.3, 0.0, 8), (0.0, 1.0, 3), (0.3, 1.0, 5)],
    )
    def test_intervals_hold_the_truth(self, rng, seed, own, seeds):
        held = []
        for parts in studied(rng, seeds, 100, seed=seed, own=own):
            low, high = ends(parts, 0.95)
            held += list((low <= 0.2) & (high >= 0.2))
        assert 0.93 <= np.mean(held) <= 0.975

    @pytest.mark.parametrize("seeds", [3, 5, 12])
    def test_where_hardly_any_image_is_wrong(self, rng, seeds):
        """99 % right on 200 images: two wrong ones a training."""
        shape = (2_000, seeds, 200)
        common, chance = rng.normal(size=(2_000, 1, 200)), rng.normal(size=(2, *shape))
        right = (common + chance > -2.33 * math.sqrt(2.0)).astype(float)
        low, high = ends(components(*right), 0.95)
        assert 0.935 <= np.mean((low <= 0.0) & (high >= 0.0)) <= 0.97

    @staticmethod
    def test_where_few_images_of_many_matter(rng):
        share, held = 0.01, []
        for _ in range(400):
            harder = rng.random(1000) < share
            first, second = rng.random((3, 1000)) < 0.97, rng.random((3, 1000)) < np.where(harder, 0.03, 0.97)
            found = compare(first, second)
            held.append(found.low <= share * 0.94 <= found.high)
        assert np.mean(held) >= 0.93


def studied(rng: np.random.Generator, seeds: int, images: int, *, seed: float, own: float) -> Iterator:
    """Yield components of 3,000 studies with a true gain of 0.2."""
    for _ in range(10):
        common = rng.normal(size=(300, 1, images))
        arms = [
            mean
            + common
            + own * rng.normal(size=(300, 1, images))
            + seed * rng.normal(size=(300, seeds, 1))
            + rng.normal(size=(300, seeds, images))
            for mean in (0.2, 0.0)
        ]
        yield components(*arms)


class TestErrors:
    GOOD = np.eye(3, 6)

    @pytest.mark.parametrize(
        ("candidate", "reference", "message"),
        [
            (np.ones(6), GOOD, r"\(seeds, images\).*the candidate of shape \(6,\)"),
            (GOOD, np.ones((2, 3, 6)), r"the reference of shape \(2, 3, 6\)"),
            (GOOD[:1], GOOD, "at least 2 seeds; got the candidate with 1"),
            (GOOD, GOOD[:, :1], "at least 2 images; got the reference with 1"),
            (GOOD, GOOD[:, :5], "same images; got 6 of the candidate and 5 of the reference"),
            (np.where(GOOD > 0, np.nan, 0.0), GOOD, "finite; got nan in the candidate, seed 0, image 0"),
            (GOOD, np.where(GOOD > 0, -math.inf, 0.0), "finite; got -inf in the reference"),
            (GOOD.astype(str), GOOD, "bool or real numbers; got the candidate of dtype <U"),
        ],
    )
    def test_arrays_that_are_unfit_are_named(self, candidate, reference, message):
        with pytest.raises(DataError, match=message) as raised:
            compare(candidate, reference)
        assert "\n" not in str(raised.value)

    def test_advice_for_a_single_training_works(self, rng):
        scores = rng.normal(size=6)
        with pytest.raises(DataError, match=r"`scores\[None, :\]`, and needs a second seed"):
            compare(scores, self.GOOD)
        with pytest.raises(DataError, match="Train it again with another seed"):
            compare(scores[None, :], self.GOOD)
        assert compare(np.concatenate([scores[None, :], scores[None, ::-1]]), self.GOOD).seeds == (2, 3)

    @pytest.mark.parametrize("margin", [-0.1, math.nan, math.inf])
    def test_a_margin_is_no_negative_number(self, margin):
        with pytest.raises(SpecError, match="`margin` must be 0 or more"):
            compare(self.GOOD, self.GOOD, margin=margin)

    @pytest.mark.parametrize("confidence", [0.0, 0.4, 1.0, 95, math.nan])
    def test_a_confidence_is_a_probability(self, confidence):
        with pytest.raises(SpecError, match=r"`confidence`.*0.95 is the usual one"):
            compare(self.GOOD, self.GOOD, confidence=confidence)
