"""Tables from any tool: what they lack is completed and said, what is wrong in them is named."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from optuna._hypervolume import compute_hypervolume

import reports
from fusion_ops.errors import ConfigError, DataError, FusionNasError, RunError, SpecError
from reports.tables.objectives import resolved

FOREIGN = {"map50": "maximize", "gflops": "minimize"}


def foreign(**columns: Any) -> pd.DataFrame:
    return pd.DataFrame({"map50": [0.5, 0.7, 0.9, 0.6], "gflops": [1.0, 2.0, 9.0, 5.0]} | columns)


def test_a_table_of_two_columns_is_ranked_and_what_it_lacks_is_said() -> None:
    ranking = reports.rank(foreign(), FOREIGN)
    assert ranking["number"].tolist() == [2, 1, 0, 3]
    assert ranking["rank"].tolist() == [1, 1, 1, 2]
    assert ranking["id"].tolist() == ["2", "1", "0", "3"]
    assert [said.partition(":")[0] for said in ranking.attrs["missing"]] == [
        "no column `number`",
        "no column `id`",
        "no column `state`",
    ]


def test_nothing_is_said_of_a_table_that_has_all() -> None:
    table = foreign(number=[3, 4, 5, 6], id=list("abcd"), state="complete")
    assert "missing" not in reports.rank(table, FOREIGN).attrs


def test_a_row_without_a_value_is_not_complete() -> None:
    table = foreign(map50=[0.5, None, 0.9, 0.6])
    assert reports.rank(table, FOREIGN)["number"].tolist() == [2, 3, 0]
    assert "the others as failed" in reports.rank(table, FOREIGN).attrs["missing"][2]


def test_the_table_that_is_given_is_not_changed() -> None:
    table = foreign(map50=["0.5", "0.7", "0.9", "0.6"])
    before = table.copy()
    reports.rank(table, FOREIGN)
    pd.testing.assert_frame_equal(table, before)
    assert table.attrs == {}


def test_a_known_measure_keeps_its_column_only_in_its_direction() -> None:
    assert [measure.column for measure in resolved({"accuracy": "maximize", "latency": "minimize"})] == [
        "accuracy",
        "latency_ms",
    ]
    turned = resolved({"accuracy": "minimize", "latency": "minimize"})[0]
    assert (turned.sign, turned.quality, turned.style) == (1.0, True, "number")


def test_the_first_unknown_measure_is_the_quality_where_nothing_else_is() -> None:
    assert [measure.quality for measure in resolved({"params": "minimize", "error": "minimize"})] == [False, True]
    assert [measure.quality for measure in resolved({"error": "minimize", "map50": "maximize"})] == [False, True]


def test_front_and_knee() -> None:
    front = reports.pareto(foreign(), FOREIGN)
    assert front["number"].tolist() == [2, 1, 0]
    bend = reports.knee(foreign(), FOREIGN)
    assert bend is not None
    assert bend["number"] == 1
    none = foreign(state="failed")
    assert reports.pareto(none, FOREIGN).empty
    assert reports.knee(none, FOREIGN) is None
    assert reports.hypervolume(none, FOREIGN) == 0


def test_a_front_without_any_whole_value_is_empty() -> None:
    assert reports.pareto(foreign(map50=None, state="complete"), FOREIGN).empty


def test_the_hypervolume_is_optunas() -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.random((30, 3)), columns=["a", "b", "c"])
    objectives = {"a": "maximize", "b": "minimize", "c": "minimize"}
    ours = reports.hypervolume(table, objectives, reference={"a": 0.1, "b": 0.9, "c": 0.8})
    points = table.to_numpy() * [-1, 1, 1]
    bound = np.array([-0.1, 0.9, 0.8])
    inside = points[(points < bound).all(axis=1)]
    assert ours == pytest.approx(compute_hypervolume(inside, bound), rel=1e-12)


def test_without_a_reference_units_do_not_matter() -> None:
    scaled = foreign().assign(gflops=lambda table: 1e9 * table["gflops"])
    assert reports.hypervolume(scaled, FOREIGN) == pytest.approx(reports.hypervolume(foreign(), FOREIGN), rel=1e-12)


WRONG: list[tuple[Any, Any, type[FusionNasError], str]] = [
    ([1, 2], FOREIGN, DataError, "a table of candidates is a pandas.DataFrame; got list"),
    (foreign(), [], SpecError, "at least one name, and none twice; got []"),
    (foreign(), "accuracy", SpecError, "`objectives` is a list of names or a mapping"),
    (foreign(), ["map50"], SpecError, "unknown objective `map50`"),
    (foreign(), {"map50": "up"}, SpecError, "a direction is maximize or minimize; got 'up' for `map50`"),
    (foreign(), {"map": "maximize"}, DataError, "objective `map` needs the column `map`; the table has map50, gflops"),
    (foreign(), ["latency"], ConfigError, "another quality with its direction; got ['latency']"),
    (foreign(map50=[1, "x", 2, 3]), FOREIGN, DataError, "column `map50` must be a number; got 'x' in row 1"),
    (foreign(number=[0, 1, 1, 2]), FOREIGN, DataError, "column `number` must be there once; got 1 in row 2"),
    (foreign(number=[0, 1.5, 1, 2]), FOREIGN, DataError, "column `number` must be a whole number; got 1.5 in row 1"),
    (foreign(state=["complete", "done", "failed", "done"]), FOREIGN, DataError, "must be one of complete, pruned"),
    (foreign(kind="trial"), FOREIGN, DataError, "column `kind` must be one of search, baseline, control, retrain"),
    (foreign(id=["a", "", "b", "c"]), FOREIGN, DataError, "column `id` must be not empty; got '' in row 1"),
    (foreign(feasible=[True, "maybe", True, True]), FOREIGN, DataError, "must be true or false; got 'maybe'"),
    (foreign(rank=1), {"rank": "maximize"}, SpecError, "`rank` is a column that every ranking adds, so no objective"),
    (foreign(knee=1), {"map50": "maximize", "knee": "minimize"}, SpecError, "`knee` is a column that every"),
    (pd.DataFrame([[1, 2, 3]], columns=["map50", "map50", "gflops"]), FOREIGN, DataError, "got `map50` 2 times"),
]  # fmt: skip


@pytest.mark.parametrize(("table", "objectives", "error", "message"), WRONG)
def test_what_is_wrong_is_one_line(table: Any, objectives: Any, error: type[FusionNasError], message: str) -> None:
    for ask in (reports.rank, reports.pareto, reports.knee, reports.hypervolume):
        if ask is reports.hypervolume and error is ConfigError:
            continue  # A volume of costs alone is one.
        with pytest.raises(error) as raised:
            ask(table, objectives)
        assert message in str(raised.value)
        assert "\n" not in str(raised.value)


def test_a_reference_has_every_objective() -> None:
    with pytest.raises(SpecError, match=r"`reference` has a value of every objective, map50, gflops"):
        reports.hypervolume(foreign(), FOREIGN, reference={"map50": 0})


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ([0.5, 12], "a value of every objective, map50, gflops; got [0.5, 12]"),
        (["map50", "gflops"], "a value of every objective, map50, gflops; got ['map50', 'gflops']"),
        ({"map50": 0, "gflops": "12"}, "a finite number of every objective; got '12' for `gflops`"),
        ({"map50": 0, "gflops": np.nan}, "got nan for `gflops`"),
    ],
)
def test_a_wrong_reference_is_one_line(reference: Any, message: str) -> None:
    with pytest.raises(SpecError) as raised:
        reports.hypervolume(foreign(), FOREIGN, reference=reference)
    assert message in str(raised.value)


def test_wrong_arguments_are_one_line(tmp_path: Path) -> None:
    wrong: Any = "small"
    with pytest.raises(DataError, match=r"a table is a pandas\.DataFrame; got str"):
        reports.write_table(wrong, tmp_path / "t.csv")
    with pytest.raises(DataError, match=r"a table of candidates is a pandas\.DataFrame; got str"):
        reports.effects(wrong, FOREIGN, points=["neck"])
    for ask in (reports.effects, reports.importance):
        with pytest.raises(SpecError, match=r"`points` is a list of columns; got 'neck'\. Write \['neck'\]"):
            ask(foreign(neck="a"), FOREIGN, points="neck")
        with pytest.raises(SpecError, match="`beside` is a list of columns; got 5"):
            ask(foreign(neck="a"), FOREIGN, points=["neck"], beside=5)  # type: ignore[arg-type]
    table: Any = foreign()
    with pytest.raises(SpecError, match="a run is named by its directory, such as 'runs/a'; got DataFrame"):
        reports.health(table)
    assert list(tmp_path.iterdir()) == []


def test_what_a_ranking_replaces_is_said() -> None:
    table = foreign(number=[3, 4, 5, 6], id=list("abcd"), state="complete", rank=[8, 9, 8, 9])
    ranking = reports.rank(table, FOREIGN)
    assert ranking.attrs["missing"] == ("column `rank` is set aside: a ranking has its own",)
    assert ranking["rank"].tolist() == [1, 1, 1, 2]


# Files


@pytest.mark.parametrize("suffix", ["csv", "json", "parquet"])
def test_a_table_is_written_by_its_suffix(tmp_path: Path, suffix: str) -> None:
    table = foreign(name=["a,b", 'q"', "ü", None])
    path = reports.write_table(reports.rank(table, FOREIGN), tmp_path / "deep" / f"t.{suffix}")
    read = {"csv": pd.read_csv, "json": partial(pd.read_json, precise_float=True), "parquet": pd.read_parquet}[suffix](
        path
    )
    assert read["map50"].tolist() == [0.9, 0.7, 0.5, 0.6]
    assert read["name"].tolist()[1:3] == ['q"', "a,b"]
    assert pd.isna(read["name"].iloc[3]) or read["name"].iloc[3] is None
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_json_is_plain_objects_with_null(tmp_path: Path) -> None:
    path = reports.write_table(pd.DataFrame({"a": [1.5, np.nan]}), tmp_path / "t.json")
    assert json.loads(path.read_text()) == [{"a": 1.5}, {"a": None}]


def test_json_keeps_every_number(tmp_path: Path) -> None:
    numbers = [0.1 + 0.2, 1.2345678901234567e-9, 3.3e-22, 123456789.12345679]
    whole = [2**53 + 1, 2**62, -1, 0]
    path = reports.write_table(pd.DataFrame({"x": numbers, "n": whole}), tmp_path / "t.json")
    rows = json.loads(path.read_text())
    assert [row["x"] for row in rows] == numbers
    assert [row["n"] for row in rows] == whole


def test_json_of_what_json_does_not_know(tmp_path: Path) -> None:
    table = pd.DataFrame({0: [np.inf, 1.0], "own": [Path("a"), pd.NaT], "day": pd.to_datetime(["2026-01-02", None])})
    table = table.assign(curve=[[0.5, np.nan], None], yes=[np.bool_(True), pd.NA], n=pd.array([1, None], "Int64"))
    rows = json.loads(reports.write_table(table, tmp_path / "t.json").read_text())
    assert rows == [
        {"0": None, "own": "a", "day": "2026-01-02T00:00:00", "curve": [0.5, None], "yes": True, "n": 1},
        {"0": 1.0, "own": None, "day": None, "curve": None, "yes": None, "n": None},
    ]
    assert json.loads(reports.write_table(table[:0], tmp_path / "none.json").read_text()) == []
    with pytest.raises(DataError, match="JSON has every column once; got `a` 2 times"):
        reports.write_table(pd.DataFrame([[1, 2]], columns=["a", "a"]), tmp_path / "twice.json")


def test_what_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"written as \.csv, \.json, \.parquet, by the file's suffix; got .*t\.xlsx"):
        reports.write_table(foreign(), tmp_path / "t.xlsx")
    with pytest.raises(DataError, match=r"the table is no Parquet: .*mixed.*\. Give each column one type\."):
        reports.write_table(pd.DataFrame({"mixed": [1, "a"]}), tmp_path / "t.parquet")
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot write"):
        reports.write_table(foreign(), tmp_path / "file" / "t.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
