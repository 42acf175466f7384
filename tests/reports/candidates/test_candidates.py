"""The candidates table: types, the front, and what comes back from the file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from fusion_ops.errors import RunError
from reports.candidates import table as candidates

OBJECTIVES = ("accuracy", "params")


def test_columns_come_in_the_order_of_the_contract(make_table: Callable[..., pd.DataFrame]) -> None:
    assert tuple(make_table(6).columns) == candidates.COLUMNS == (
        "number", "id", "state", "reason", "kind", "seed", "epochs", "accuracy", "loss", "params", "flops",
        "latency_ms", "memory_bytes", "seconds", "worker", "retries", "started", "finished", "on_front",
        "architecture", "curve", "audit", "feasible", "series", "role", "recipe", "predicted", "doubt",
        "start", "before", "slot", "asked",
    )  # fmt: skip


def test_miou_takes_the_place_of_accuracy(make_records: Callable[..., list[dict[str, Any]]]) -> None:
    records = [{**row, "miou": row["accuracy"]} for row in make_records(6)]
    for row in records:
        del row["accuracy"]
    columns = list(candidates.frame(records, ("miou", "params")).columns)
    assert "accuracy" not in columns
    assert columns[7:9] == ["miou", "loss"]


def test_further_columns_are_kept_behind(make_records: Callable[..., list[dict[str, Any]]]) -> None:
    records = [{**row, "energy_j": 1.5} for row in make_records(6)]
    table = candidates.frame(records, OBJECTIVES)
    assert list(table.columns) == [*candidates.COLUMNS, "energy_j"]
    assert table["energy_j"].tolist() == [1.5] * 6


def test_the_table_comes_back_from_its_file(make_table: Callable[..., pd.DataFrame], tmp_path: Path) -> None:
    table = make_table(30)
    candidates.write(table, tmp_path)
    pd.testing.assert_frame_equal(candidates.read(tmp_path), table)


def test_an_empty_table_comes_back(tmp_path: Path) -> None:
    table = candidates.frame([], OBJECTIVES)
    candidates.write(table, tmp_path)
    pd.testing.assert_frame_equal(candidates.read(tmp_path), table)


# Surrogates and \0 are written as escapes, which another test covers.
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)


@example(reason="a\rb\r\nc", identifier="0123456789")
@given(reason=TEXT, identifier=st.sampled_from(["0123456789", "1e10000000", "ffffffffff"]))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_comes_back(
    reason: str, identifier: str, make_records: Callable[..., list[dict[str, Any]]], tmp_path: Path
) -> None:
    table = candidates.frame([{**make_records(1)[0], "reason": reason, "id": identifier}], OBJECTIVES)
    candidates.write(table, tmp_path)
    back = candidates.read(tmp_path)
    assert back["reason"].tolist() == [reason.replace("\r\n", "\n").replace("\r", "\n")]
    assert back["id"].tolist() == [identifier]


def test_text_that_no_file_can_hold_is_escaped(
    make_records: Callable[..., list[dict[str, Any]]], tmp_path: Path
) -> None:
    candidates.write(candidates.frame([{**make_records(1)[0], "reason": "bad \ud800 \0"}], OBJECTIVES), tmp_path)
    assert candidates.read(tmp_path)["reason"].tolist() == ["bad \\ud800 \\0"]


def test_the_front_holds_complete_candidates_of_search_and_baselines_only(
    make_records: Callable[..., list[dict[str, Any]]],
) -> None:
    records = make_records(5)
    measured = [(0.90, 10), (0.80, 20), (0.99, 5), (0.99, 5), (0.95, 30)]
    for row, (accuracy, params) in zip(records, measured, strict=True):
        row.update(accuracy=accuracy, params=params, kind="search")
    records[2]["state"] = "pruned"
    records[3]["kind"] = "retrain"
    assert candidates.frame(records, OBJECTIVES)["on_front"].tolist() == [True, False, False, False, True]


def test_curves_are_json_lists(make_records: Callable[..., list[dict[str, Any]]]) -> None:
    record = make_records(1)[0] | {"curve": [0.5, float("nan"), 0.75]}
    text = candidates.frame([record], OBJECTIVES)["curve"].iloc[0]
    assert json.loads(text) == [0.5, None, 0.75]
    assert np.array_equal(candidates.curve(text), [0.5, float("nan"), 0.75], equal_nan=True)
    assert candidates.curve("") == candidates.curve("[]") == []


def test_a_failed_write_leaves_the_old_table(
    make_table: Callable[..., pd.DataFrame], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = make_table(6)
    candidates.write(old, tmp_path)

    def fail(path: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(RunError, match=r"cannot write .*candidates\.csv: No space left on device"):
        candidates.write(make_table(12), tmp_path)
    monkeypatch.undo()
    assert [file.name for file in tmp_path.iterdir()] == [candidates.FILE]
    pd.testing.assert_frame_equal(candidates.read(tmp_path), old)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "does not exist"),
        ("", "is not a table of candidates"),
        ("a,b\n1,2\n", "it has no column number, id, state"),
        (",".join(candidates.COLUMNS) + "\n" + "x," * 20 + "\n", "is damaged"),
    ],
)
def test_a_missing_or_damaged_table_is_named(text: str | None, message: str, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / candidates.FILE).write_text(text, encoding="utf-8")
    with pytest.raises(RunError, match=message) as caught:
        candidates.read(tmp_path)
    assert str(tmp_path / candidates.FILE) in str(caught.value)
