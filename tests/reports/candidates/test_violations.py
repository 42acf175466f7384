"""By how much constraints are broken: each in proportion to its bound, then their sum."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from reports.candidates.violations import excesses, known_bounds, percent, violations

BOUNDS = {"accuracy": 0.8, "params": 1000.0}


def test_the_violation_is_the_sum_of_relative_excesses() -> None:
    table = pd.DataFrame(
        {"accuracy": [0.9, 0.6, 0.8, 0.6, math.nan], "params": [1000.0, 900.0, 1500.0, 1500.0, 2000.0]}
    )
    assert list(violations(table, BOUNDS)) == pytest.approx([0.0, 0.25, 0.5, 0.75, 1.0])
    assert list(violations(table.drop(columns="params"), BOUNDS)) == pytest.approx([0.0, 0.25, 0.0, 0.25, 0.0])


def test_a_bound_of_zero_takes_the_excess_as_it_is() -> None:
    assert list(violations(pd.DataFrame({"loss": [0.3]}), {"loss": 0.0})) == pytest.approx([0.3])


def test_what_a_row_breaks_is_said_in_words() -> None:
    missed = excesses({"accuracy": 0.6, "params": 1000}, BOUNDS)
    assert [str(one) for one in missed] == ["accuracy 60.00 %, 25 % beyond"]
    assert excesses({"accuracy": math.nan}, BOUNDS) == ()
    assert (percent(0.004), percent(0.51), percent(12.345)) == ("0.4 %", "51 %", "1,234 %")


def test_bounds_that_are_no_numbers_are_left_out() -> None:
    assert known_bounds({"params": 1000, "accuracy": None}) == {"params": 1000.0}
