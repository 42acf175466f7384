"""Words of the panel on recipes."""

from __future__ import annotations

from reports.measures import MEASURES
from reports.views.recipe_words import range_word


def test_an_interval_of_a_percentage_is_within_what_that_can_be() -> None:
    assert range_word(MEASURES["accuracy"], 0.9465, 1.0172) == "94.65 to 100.00 %"
    assert range_word(MEASURES["accuracy"], -0.02, 0.5) == "0.00 to 50.00 %"


def test_an_interval_of_a_loss_has_the_smaller_value_first() -> None:
    first, last = range_word(MEASURES["loss"], -1.5, -1.2).split(" to ")
    assert float(first) < float(last)
