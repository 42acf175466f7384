"""Columns of hyperparameters: their types, the values behind them, and their words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import reports
from reports.candidates import table
from reports.candidates.candidate import Candidate
from reports.candidates.hyperparameters import kept, settings_in_words, typed
from spaces import SearchSpace, configuration_id

OBJECTIVES = ("accuracy", "params")


def candidates(space: SearchSpace, values: list[dict[str, Any]]) -> list[Candidate]:
    return [
        Candidate(
            number,
            space.baselines()[0],
            "search",
            0,
            1000 + number,
            2000,
            state="complete",
            curve=[{"accuracy": 0.9 - number / 10, "loss": 1.0}],
            hyperparameters=one,
        )
        for number, one in enumerate(values)
    ]


VALUES: dict[str, tuple[list[Any], str]] = {
    "train.lr": ([0.1, 1, 0.025], "float64"),
    "train.batch_size": ([32, 64, 32], "int64"),
    "train.init": (["sum", "default", "sum"], "str"),
    "train.augment": ([[], ["flip"], ["flip", "crop"]], "str"),
    "train.class_weights": ([None, "balanced", [1, 2]], "str"),
    "space.residual": ([True, False, True], "bool"),
    "train.weight_decay": ([0.0005, 1e-05, 0], "float64"),
}


@pytest.mark.parametrize("name", VALUES)
def test_a_column_comes_back_with_its_type_and_each_cell_with_its_value(
    name: str, space: SearchSpace, tmp_path: Path
) -> None:
    values, dtype = VALUES[name]
    made = candidates(space, [{name: value} for value in values])
    frame = table.frame([one.record("accuracy", maximize=True) for one in made], OBJECTIVES)
    table.write(frame, tmp_path)
    read = table.read(tmp_path)
    assert read[name].dtype == frame[name].dtype
    assert dtype in (str(read[name].dtype), type(read[name].iloc[0]).__name__)
    pd.testing.assert_series_equal(read[name], frame[name])
    for row, value in zip(read.to_dict("records"), values, strict=True):
        assert kept(row, {name: values}) == {name: value}
        # What is known of a row is enough for its id.
        assert configuration_id(made[0].architecture, kept(row, {name: values})) == row["id"]


def test_a_range_has_its_numbers(space: SearchSpace) -> None:
    made = candidates(space, [{"train.lr": 0.0605}, {"train.lr": 0.1}])
    rows = table.frame([one.record("accuracy", maximize=True) for one in made], OBJECTIVES).to_dict("records")
    searched = {"train.lr": {"low": 0.01, "high": 1.0, "log": True}}
    assert [kept(row, searched) for row in rows] == [{"train.lr": 0.0605}, {"train.lr": 0.1}]
    assert kept({}, searched) == {}


def test_numbers_with_gaps_stay_numbers() -> None:
    assert str(typed(pd.Series(["8", "", "12"])).dtype) == "Int64"
    assert str(typed(pd.Series([0.5, None])).dtype) == "float64"
    assert list(typed(pd.Series(["", None], dtype=object))) == ["", ""]


def test_a_ranking_and_its_measures_take_no_notice(space: SearchSpace) -> None:
    made = candidates(space, [{"train.lr": 0.1}, {"train.lr": 0.2}])
    frame = table.frame([one.record("accuracy", maximize=True) for one in made], OBJECTIVES)
    assert len(set(frame["id"])) == 2
    assert list(reports.rank(frame, OBJECTIVES)["number"]) == [0, 1]
    assert list(reports.pareto(frame, OBJECTIVES)["train.lr"]) == [0.1]
    assert table.measured_costs(frame.iloc[0].to_dict()) == {}


def test_words() -> None:
    values = {"train.lr": 0.18301, "space.width": 12, "train.augment": [], "train.class_weights": None, "x.y_z": True}
    assert settings_in_words(values) == "lr 0.183, width 12, augment none, class weights null, y z true"
    assert settings_in_words({}) == ""
