"""The verdict in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from scipy.stats import norm

from reports.judging.judgement import Judgement, judge
from reports.judging.words import evidence, headline, sentence
from reports.measures import MEASURES
from reports.retrained.arm import Arm
from reports.views.retrained import retrained_view

Study = Callable[..., Sequence[Arm]]
WHY = "no control: the host has no width. no control: `concat` costs less."
SMALL = "below 0.25 points count as the same"


def judged(arms: Sequence[Arm], measure: str = "accuracy") -> Judgement:
    result = judge(arms, MEASURES[measure], margin=0.0025)
    assert result is not None
    return result


def test_a_gain_is_told_with_interval_costs_seeds_and_images(study: Study) -> None:
    result = judged(study(0.02, 0.01, 0.01))
    contrast = result.under[0].comparisons[0].contrast
    low, high = (f"{100 * end:+.2f}" for end in (contrast.low, contrast.high))
    assert headline(result) == "Better than the sum, at equal capacity, too."
    assert sentence(result) == (
        f"`iaff r=4` at the deepest point, `sum` elsewhere: +2.00 points (95 %: {low} to {high}) of test accuracy over "
        "`sum` everywhere. It has 15 % more parameters and 3 % more FLOPs; 5 seeds each, 1,000 test images."
    )
    lines = evidence(result)
    assert lines[0].startswith("Against the best uniform network (`aff r=4` everywhere): +0.40 points (95 %: +0.")
    assert lines[1].startswith("Against a wider all-`sum` network of as many parameters: +1.00 points (95 %: +0.")
    assert lines[1].endswith("), better.")
    assert lines[2].startswith("Against a wider all-`sum` network of as many FLOPs")
    assert len(lines) == 4


@pytest.mark.parametrize(
    ("gains", "words", "advice"),
    [
        ((0.02, 0.0, 0.0), "Keep the sum: at equal capacity the gain is gone.", SMALL),
        (
            (0.0, 0.0, 0.0),
            "Keep the sum: the difference is too small to matter.",
            "below 0.25 points count as the same",
        ),
        ((-0.02, 0.0, 0.0), "Keep the sum: it is better.", None),
        ((0.02, None, None), "Better than the sum; no control of equal capacity.", None),
    ],
)
def test_each_rule_has_its_words(gains: tuple[float, ...], words: str, advice: str | None, study: Study) -> None:
    result = judged(study(*gains))
    assert headline(result) == words
    assert advice is None or any(advice in line for line in evidence(result))


def test_the_winners_curse_has_its_name_and_its_interval(study: Study) -> None:
    line = evidence(judged(study(0.02, 0.01, 0.01)))[-1]
    assert line.startswith(
        "The winner's curse: the search had shown 91.00 % validation accuracy, retraining shows 90.00 %. "
        "The search flattered it by +1.00 points (95 %: +0.90 to +1.10)."
    )


def test_rank_agreement_needs_five_networks(study: Study, arm: Callable[..., Arm]) -> None:
    more = [arm(name, "baseline", value, searched=value + 0.01)
            for name, value in (("iaff", 0.8), ("aff aff sum", 0.7), ("aff sum sum", 0.6))]  # fmt: skip
    assert evidence(judged([*study(0.02), *more]))[-1].startswith(
        "Rank agreement of the search with retraining: Kendall's τ +1.00 (95 %: +1.00 to +1.00) over 5 networks."
    )
    assert "Kendall" not in evidence(judged([*study(0.02), *more[1:]]))[-1]


def test_a_missing_control_is_named(study: Study) -> None:
    assert "No all-`sum` network of equal FLOPs: none was retrained." in evidence(judged(study(0.02, 0.01)))


def test_another_network_in_the_place_of_a_control_is_named(study: Study, arm: Callable[..., Arm]) -> None:
    arms = list(study(0.02, 0.01))
    arms.append(arm("iaff", f"matched_flops:{arms[0].id}", 0.87))
    result = judge(arms, MEASURES["accuracy"], margin=0.0025, missing={(arms[0].id, "matched_flops"): WHY})
    assert result is not None
    lines = evidence(result)
    assert lines[2].startswith("Against the nearest network of as many FLOPs (`iaff r=4` everywhere): +3.00 points")
    assert lines[3] == "No all-`sum` network of equal FLOPs: the host has no width. `concat` costs less."


def test_what_is_open_says_what_helps(study: Study) -> None:
    result = judged(study(0.01, 0.01, 0.01, spread=0.05, seeds=3))
    assert headline(result) == "Undecided: more seeds or images are needed."
    assert any("`fusion-nas retrain --seeds`" in line for line in evidence(result))


def test_a_small_test_set_says_what_it_can_show(study: Study) -> None:
    few = judged(study(0.02, 0.01, 0.01, images=120, spread=0.01))
    assert "The test set is small." in evidence(few)
    (line,) = (line for line in evidence(few) if line.startswith("With 120 test images and 5 seeds each a gain"))
    shown = float(line.partition("a gain of ")[2].partition(" points")[0]) / 100
    contrast = few.against("sum")[0].contrast
    needed = (contrast.high - contrast.low) / 2
    # A gain is shown where the estimate lies beyond half the interval.
    assert norm.sf((needed - shown) / contrast.standard_error) == pytest.approx(0.8, abs=0.01)
    many = judged(study(0.02, 0.01, 0.01))
    assert not any("test images and" in line for line in evidence(many))
    open_ = judged(study(0.01, 0.01, 0.01, spread=0.05, seeds=3))
    assert any(line.startswith("With 1,000 test images and 3 seeds each a gain of ") for line in evidence(open_))


def test_what_can_be_shown_is_said_of_the_recipes_that_are_open(study: Study) -> None:
    closed, open_ = study(0.2, 0.2, 0.2), study(0.01, 0.01, 0.01, spread=0.05, seeds=3)
    both = judged([*closed, *(replace(arm, recipe="long") for arm in open_)])
    lines = [line for line in evidence(both) if "test images and" in line]
    assert len(lines) == 1
    assert "3 seeds each under `long` a gain of" in lines[0]


def test_recipes_that_disagree_are_told(study: Study) -> None:
    result = judged([*study(0.02, 0.01, 0.01), *study(-0.02, 0.01, 0.01, recipe="long")])
    assert headline(result) == "It depends on the recipe."
    assert " under `default` and −2.00 points " in sentence(result)
    assert sentence(result).endswith("5 seeds each, 1,000 test images, 2 recipes.")
    assert any(line.endswith("better under `default` and worse under `long`.") for line in evidence(result))


def test_what_is_shown_under_some_recipes_is_told(study: Study) -> None:
    open_ = study(0.02, 0.01, 0.01, recipe="long", spread=0.1, seeds=3)
    result = judged([*study(0.02, 0.01, 0.01), *open_])
    assert headline(result) == "Undecided: better under 1 of 2 recipes."
    assert "3 to 5 seeds each" in sentence(result)


def test_one_seed_and_no_other_network_are_told(study: Study, arm: Callable[..., Arm]) -> None:
    single = judged(study(0.01, seeds=1))
    assert headline(single) == "Undecided: too few seeds to compare."
    assert "before both have two seeds" in sentence(single)
    assert any("and `--seeds` asks for further ones" in line for line in evidence(single))
    alone = judged([arm("sum", "original finalist", 0.95)])
    assert headline(alone) == "Keep the sum: nothing else was retrained."
    assert sentence(alone) == "`sum` everywhere reaches 95.00 % test accuracy."


def test_a_loss_is_told_in_its_own_unit(arm: Callable[..., Arm]) -> None:
    result = judged([arm("aff", "finalist", 0.30), arm("sum", "original", 0.35)], "loss")
    assert sentence(result).startswith("`aff r=4` everywhere: 0.0500 lower (95 %: 0.04")
    assert "in test loss than" in sentence(result)


def test_a_measure_without_a_value_for_each_image_is_told(study: Study) -> None:
    result = judged(study(0.02, 0.01, images=1))
    assert (result.verdict.outcome, result.verdict.comparisons) == ("undecided", ())
    assert headline(result) == "Undecided: the measure has no value for each image."
    assert sentence(result).endswith("90.00 % test accuracy, the mean of 5 seeds; new images may show another.")


def test_one_control_of_both_costs_is_told_once(study: Study, arm: Callable[..., Arm]) -> None:
    arms = list(study(0.02))
    arms.append(arm("sum", f"matched_params:{arms[0].id} matched_flops:{arms[0].id}", 0.89, wider=1))
    result = judged(arms)
    assert [one.against for one in result.verdict.comparisons] == ["sum", "uniform", "matched_params", "matched_flops"]
    assert list(result.under[0].shown()) == ["sum", "uniform", "matched_both"]
    assert evidence(result)[1].startswith("Against a wider all-`sum` network of as many parameters and FLOPs: +1.00")


def test_an_original_of_other_operators_is_not_called_a_sum(arm: Callable[..., Arm]) -> None:
    result = judged([arm("iaff", "finalist", 0.9), arm("sum aff sum", "original", 0.93)])
    assert headline(result) == "Keep the original: it is better."
    assert "of test accuracy over `aff r=4` at `stage2.block1`, `sum` elsewhere." in sentence(result)
    assert retrained_view(result).original == "the original"
