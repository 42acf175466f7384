"""Tables as other tools leave them: whatever columns are called, empty texts, truth values, what is not finite."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import reports
from fusion_ops.errors import DataError
from reports.general.parameters import parameters_info
from reports.general.record import table_record

OBJECTIVES = {"map50": "maximize", "gflops": "minimize"}
ROWS = 24


@pytest.fixture
def table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    neck = np.array(["", "fpn", "pan"] * (ROWS // 3))
    quality = 0.5 + 0.2 * (neck == "") + rng.normal(0, 0.01, ROWS)
    columns = {"map50": quality, "gflops": rng.uniform(1, 9, ROWS), "neck": neck, "lr": rng.uniform(0, 1, ROWS)}
    return pd.DataFrame(columns)


LABELS: dict[str, list[Any]] = {
    "numbers": [0, 1, 2, 3],
    "pairs": [("v", "map50"), ("v", "gflops"), ("p", "neck"), ("p", "lr")],
    "a number, nothing and a date": [1.5, None, pd.Timestamp("2026-03-02"), "lr"],
}


@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
def test_columns_may_be_called_anything(table: pd.DataFrame, labels: list[Any], tmp_path: Path) -> None:
    named = table.set_axis(pd.Index(labels, tupleize_cols=False), axis=1)
    given = {labels[0]: "maximize", labels[1]: "minimize"}
    for function in (reports.rank, reports.pareto):
        found, expected = function(named, given), function(table, OBJECTIVES)
        assert list(found.columns) == [*labels, *expected.columns[4:]], "columns keep the names that they have"
        assert found.to_numpy().tolist() == expected.to_numpy().tolist()
    bend, expected_bend = reports.knee(named, given), reports.knee(table, OBJECTIVES)
    assert bend is not None
    assert expected_bend is not None
    assert bend[labels[2]] == expected_bend["neck"]
    reference = {labels[0]: 0.4, labels[1]: 10.0}
    assert reports.hypervolume(named, given, reference) == reports.hypervolume(
        table, OBJECTIVES, {"map50": 0.4, "gflops": 10.0}
    )
    for function in (reports.importance, reports.effects):
        found = function(named, given, points=[labels[2]], beside=[labels[3]])
        expected = function(table, OBJECTIVES, points=["neck"], beside=["lr"])
        assert found.drop(columns="point").equals(expected.drop(columns="point"))
        assert set(found["point"]) == {str(labels[2])}
    text = reports.write_html(named, tmp_path / "t.html", objectives=given).read_text(encoding="utf-8")
    assert "What the parameters do" in text


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ([0, "0", "map50", "gflops"], r"columns are told apart by their names as text; got 0 and '0'\. Rename one\."),
        (["lr", "lr", "map50", "gflops"], r"a table has every column once; got `lr` 2 times\. Rename or drop one\."),
    ],
)
def test_columns_that_cannot_be_told_apart_are_one_line(
    table: pd.DataFrame, labels: list[Any], said: str, tmp_path: Path
) -> None:
    twice = table[["lr", "neck", "map50", "gflops"]].set_axis(labels, axis=1)
    asked: list[Callable[[pd.DataFrame], object]] = [
        lambda one: reports.rank(one, OBJECTIVES),
        lambda one: reports.pareto(one, OBJECTIVES),
        lambda one: reports.knee(one, OBJECTIVES),
        lambda one: reports.hypervolume(one, OBJECTIVES),
        lambda one: reports.importance(one, OBJECTIVES, points=["lr"]),
        lambda one: reports.effects(one, OBJECTIVES, points=["lr"]),
        lambda one: reports.write_html(one, tmp_path / "t.html", objectives=OBJECTIVES),
    ]
    for ask in asked:
        with pytest.raises(DataError, match=said):
            ask(twice)
    assert not (tmp_path / "t.html").exists()
    # As the message says.
    renamed = twice.set_axis(["a", "b", "map50", "gflops"], axis=1)
    assert len(reports.rank(renamed, OBJECTIVES)) == ROWS


def test_an_empty_text_is_a_choice_and_an_empty_cell_is_none(table: pd.DataFrame, tmp_path: Path) -> None:
    table["neck"] = table["neck"].astype(object)
    table.loc[table.index[:4], "neck"] = None
    found = reports.effects(table, OBJECTIVES, points=["neck"]).set_index("operator")
    counts = table["neck"].value_counts(dropna=False)
    assert found["n"].to_dict() == {"not set": 4, '""': counts[""], "fpn": counts["fpn"], "pan": counts["pan"]}
    assert found["effect"].idxmax() == '""'
    (parameter,) = [one for one in parameters_info(table_record(table, OBJECTIVES)).parameters if one.name == "neck"]
    assert {one.cell.label: one.cell.n for one in parameter.values} == found["n"].to_dict()
    text = reports.write_html(table, tmp_path / "t.html", objectives=OBJECTIVES).read_text(encoding="utf-8")
    assert "&#34;&#34;" in text.partition('<section id="parameters"')[2]


@pytest.mark.parametrize("dtype", ["bool", "boolean", "object"])
def test_truth_values_are_parameters_and_objectives(table: pd.DataFrame, dtype: str, tmp_path: Path) -> None:
    table["use"] = pd.Series([True, False] * (ROWS // 2), dtype=dtype)
    found = reports.effects(table, OBJECTIVES, points=["use", "neck"]).set_index("operator")
    assert found.loc[["True", "False"], "n"].tolist() == [ROWS // 2] * 2
    reports.write_html(table, tmp_path / "t.html", objectives=OBJECTIVES)
    ranking = reports.rank(table, {"use": "maximize", "gflops": "minimize"})
    cheapest = table.loc[table["use"] == True, "gflops"].min()  # noqa: E712 - of any dtype
    assert set(ranking["use"]) == {0.0, 1.0}
    assert ranking["gflops"].iloc[0] == cheapest


def test_an_unset_truth_value_is_told_apart(table: pd.DataFrame, tmp_path: Path) -> None:
    table["use"] = pd.Series([True, False, pd.NA] * (ROWS // 3), dtype="boolean")
    found = reports.effects(table, OBJECTIVES, points=["use"]).set_index("operator")
    assert set(found.index) == {"True", "False", "not set"}
    reports.write_html(table, tmp_path / "t.html", objectives=OBJECTIVES)


def test_no_parameters_have_no_effects(table: pd.DataFrame) -> None:
    assert reports.effects(table, OBJECTIVES, points=[]).empty
    assert reports.importance(table, OBJECTIVES, points=[]).empty


def test_what_is_not_finite_stands_behind_and_is_counted(table: pd.DataFrame, tmp_path: Path) -> None:
    table.loc[:3, "map50"] = [np.nan, np.inf, -np.inf, 0.99]
    table.loc[4, "gflops"] = -np.inf
    ranking = reports.rank(table.assign(state="complete"), OBJECTIVES)
    lost = set(ranking.tail(4)["number"])
    assert lost == {0, 1, 2, 4}
    assert ranking.tail(4)["rank"].nunique() == 1
    assert ranking.tail(4)["contribution"].tolist() == [0.0] * 4
    assert ranking.attrs["missing"][-2:] == (
        "`map50` has no finite value in 3 complete rows: ranked behind all others",
        "`gflops` has no finite value in 1 complete row: ranked behind all others",
    )
    finite = reports.rank(table.drop([0, 1, 2, 4]), OBJECTIVES)
    assert ranking["gflops"].head(ROWS - 4).tolist() == finite["gflops"].tolist()
    assert reports.hypervolume(table, OBJECTIVES) == pytest.approx(reports.hypervolume(finite, OBJECTIVES))
    assert np.isfinite(reports.effects(table, OBJECTIVES, points=["neck"])["mean"]).all()
    text = reports.write_html(table.assign(state="complete"), tmp_path / "t.html", objectives=OBJECTIVES).read_text()
    assert "has no finite value in 3 complete rows" in text
    rows = json.loads(reports.write_table(ranking, tmp_path / "t.json").read_text())
    assert {row["number"] for row in rows if row["map50"] is None} == {0, 1, 2}


def test_numbers_without_a_square_are_said_to_be_too_far_apart(table: pd.DataFrame, tmp_path: Path) -> None:
    far = table.assign(map50=table["map50"] * 1e300)
    assert reports.importance(far, OBJECTIVES, points=["neck"]).empty
    assert reports.effects(far, OBJECTIVES, points=["neck"])["effect"].isna().all()
    text = reports.write_html(far, tmp_path / "t.html", objectives=OBJECTIVES).read_text(encoding="utf-8")
    assert "too far apart to calculate with" in text


def test_values_of_one_short_name_are_told_apart_exactly(table: pd.DataFrame) -> None:
    table["size"] = [12345.0, 12349.0] * (ROWS // 2)
    table["lr"] = [0.123411, 0.123419, 0.2] * (ROWS // 3)
    found = {one.name: one for one in parameters_info(table_record(table, OBJECTIVES)).parameters}
    assert {one.cell.label for one in found["size"].values} == {"12345", "12349"}
    assert {one.cell.label for one in found["lr"].values} == {"0.123411", "0.123419", "0.2"}
