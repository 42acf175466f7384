"""The margin of a verdict: a number that is given, a quarter of a point, or a share of what the search had shown."""

from __future__ import annotations

import math

import pytest

from reports.measures import MEASURES, Measure
from reports.retrained.margin import margin_of

SHOWN = [("sum", -0.5), ("aff", 2.0), ("sum", 7.0)]
FEW_ERRORS = Measure("m:errors", "errors", "minimize", "number", "m:errors", quality=True)


@pytest.mark.parametrize("name", ["accuracy", "miou"])
def test_of_a_share_it_is_a_quarter_of_a_point(name: str) -> None:
    assert margin_of(None, MEASURES[name], [("sum", 0.4)], "sum") == 0.0025


def test_a_number_that_is_given_is_taken_as_it_is() -> None:
    assert margin_of(0.1, MEASURES["accuracy"], SHOWN, "sum") == margin_of(0.1, FEW_ERRORS, SHOWN, "sum") == 0.1


def test_of_any_other_measure_it_is_a_share_of_the_original_whatever_its_sign() -> None:
    assert margin_of(None, MEASURES["loss"], SHOWN, "aff") == 0.02
    assert margin_of(None, FEW_ERRORS, SHOWN, "sum") == 0.005


def test_an_original_that_the_search_had_not_trained_gives_way_to_the_best() -> None:
    assert margin_of(None, MEASURES["loss"], [("aff", 2.0), ("iaff", 1.0)], "sum") == 0.01
    assert margin_of(None, MEASURES["loss"], [("sum", math.nan), ("aff", 2.0)], "sum") == 0.02
    assert margin_of(None, MEASURES["loss"], [], "sum") == 0.0
