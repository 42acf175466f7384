"""What a call of `retrain` asks for, and what it adds to the calls before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fusion_ops.errors import ConfigError
from reports.retrained.record import RetrainRecord
from search.run.retrain_request import RetrainRequest, limits_of, parse_seeds


def asked(*recipes: Path, top=None, seeds=None, budget=None, ablate=False) -> RetrainRequest:
    return RetrainRequest.checked(top, seeds, recipes, budget, ablate=ablate)


@pytest.mark.parametrize(("text", "seeds"), [("5", (5, 5)), ("3..12", (3, 12)), (" 2..2 ", (2, 2))])
def test_seeds_are_a_number_or_a_range(text: str, seeds: tuple[int, int]) -> None:
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize("text", ["1", "0", "12..3", "3-12", "", "three", "3..", "2..5000", "-4"])
def test_seeds_that_are_none_or_say_nothing_of_chance_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"`--seeds`.*3\.\.12") as raised:
        parse_seeds(text)
    assert "\n" not in str(raised.value)
    parse_seeds("3..12")


@pytest.mark.parametrize(
    ("text", "limits"),
    [("400epochs", (400, None)), ("1 epoch", (1, None)), ("2h", (None, 7200.0)), ("0.5 h", (None, 1800.0))],
)
def test_a_budget_is_of_epochs_or_hours(text: str, limits) -> None:
    assert limits_of(text) == limits
    assert limits_of(None) == limits_of("none") == (None, None)


@pytest.mark.parametrize("text", ["400", "2 days", "0h", "0epochs", "-2h", "", "2h30"])
def test_what_is_no_budget_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"`--budget` is a number of epochs or hours, 400epochs or 2h"):
        asked(budget=text)


def test_finalists_are_at_least_one() -> None:
    with pytest.raises(ConfigError, match="`--top` must be from 1"):
        asked(top=0)


def test_a_first_call_has_defaults_and_a_later_one_adds_to_it(tmp_path: Path) -> None:
    first = asked().over(None)
    assert (first.top, first.seeds, first.recipes, first.budget, first.ablate) == (
        3,
        (3, 12),
        {"default": {}},
        None,
        False,
    )
    (tmp_path / "long.yaml").write_text("epochs: 16\n")
    second = asked(tmp_path / "long.yaml", seeds=(2, 2), budget="2h", ablate=True).over(first)
    third = asked(top=5).over(second)
    assert third.recipes == {"default": {}, "long": {"epochs": 16}}
    assert (third.top, third.seeds, third.budget, third.ablate) == (5, (2, 2), "2h", True)
    assert asked(budget="none").over(third).budget is None
    assert list(asked().documents(third)) == ["long"]


def test_what_was_looked_at_is_remembered() -> None:
    fixed = asked(seeds=(5, 5)).over(None)
    assert fixed.looked == asked(top=2).over(fixed).looked == (5, 5)
    assert asked(seeds=(8, 8)).over(fixed).looked == (5, 8)
    ranged = asked(seeds=(3, 12)).over(None)
    assert asked(seeds=(4, 4)).over(ranged).looked == (3, 12)


@pytest.mark.parametrize(
    "wrong",
    [{"seeds": (3,)}, {"seeds": 3.5}, {"seeds": (3.0, 12.0)}, {"seeds": (True, 3)}, {"top": "3"}, {"top": True}],
)
def test_what_is_no_whole_number_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"^`(--top|seeds)`"):
        asked(**wrong)


def test_a_recipe_of_one_name_is_one_recipe(tmp_path: Path) -> None:
    for folder, epochs in (("a", 16), ("b", 8), ("c", 16)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "long.yaml").write_text(f"epochs: {epochs}\n")
    known = asked(tmp_path / "a" / "long.yaml").over(None)
    assert asked(tmp_path / "c" / "long.yaml").over(known).recipes == known.recipes
    with pytest.raises(ConfigError, match=r"^recipe `long` of this run is epochs: 16, not epochs: 8; give the file an"):
        asked(tmp_path / "b" / "long.yaml").over(known)
    with pytest.raises(ConfigError, match="two recipes are called `long`"):
        asked(tmp_path / "a" / "long.yaml", tmp_path / "b" / "long.yaml")


def test_the_record_comes_back_as_it_was(tmp_path: Path) -> None:
    record = asked(seeds=(4, 6), budget="9epochs").over(None)
    assert RetrainRecord.from_dict(record.to_dict()) == record
