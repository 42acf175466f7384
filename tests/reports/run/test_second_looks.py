"""Second looks: rows that train what an earlier row stopped, known by the architecture's id."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from reports.candidates import table as candidates
from reports.run.second_looks import SecondLooks, repeated, second_looks

Rows = list[tuple[str, str, str, str]]


@pytest.fixture
def table(make_records: Callable[..., list[dict[str, Any]]]) -> Callable[[Rows], pd.DataFrame]:
    """Return a maker of tables from (id, state, kind, series)."""

    def make(rows: Rows) -> pd.DataFrame:
        records = [
            record | {"id": one, "state": state, "kind": kind, "series": series}
            for record, (one, state, kind, series) in zip(make_records(len(rows)), rows, strict=True)
        ]
        return candidates.frame(records, ("accuracy",))

    return make


def look(state: str = "complete", kind: str = "search", series: str = "") -> tuple[str, str, str, str]:
    return ("a", state, kind, series)


STOPPED = look("pruned")


@pytest.mark.parametrize(
    ("later", "is_look"),
    [
        (look(), True),
        (look("running"), True),
        (look("failed"), True),
        (look("infeasible"), True),
        (look("duplicate"), False),
        (look(kind="baseline"), False),
        (look(kind="retrain"), False),
        (look(kind="control", series="random"), False),
        (look(series="random"), False),
        (("b", "complete", "search", ""), False),
    ],
)
def test_a_later_training_of_what_was_stopped_is_one(
    later: tuple[str, str, str, str], is_look: bool, table: Callable[[Rows], pd.DataFrame]
) -> None:
    rows = table([("b", "complete", "search", ""), STOPPED, ("c", "pruned", "search", ""), later])
    assert repeated(rows).tolist() == [False, is_look, False, False]
    assert second_looks(rows).complete == int(is_look and later[1] == "complete")
    backwards = rows.iloc[::-1]
    assert repeated(backwards).tolist() == [False, False, is_look, False]


@pytest.mark.parametrize(
    "earlier", [look("complete"), look("failed"), look("duplicate"), look("pruned", "control", "one_epoch")]
)
def test_what_was_not_stopped_in_the_search_is_not_looked_at_again(
    earlier: tuple[str, str, str, str], table: Callable[[Rows], pd.DataFrame]
) -> None:
    rows = table([earlier, look()])
    assert not repeated(rows).any()
    assert second_looks(rows) == SecondLooks(0, 0)


def test_what_ended_before_it_was_stopped_is_no_look(table: Callable[[Rows], pd.DataFrame]) -> None:
    rows = table([look(), STOPPED])
    assert not repeated(rows).any()
    assert second_looks(rows).complete == 0


def test_a_look_that_was_stopped_too_is_looked_at_by_a_third(table: Callable[[Rows], pd.DataFrame]) -> None:
    assert repeated(table([STOPPED, STOPPED])).tolist() == [True, False]
    rows = table([STOPPED, STOPPED, look()])
    assert repeated(rows).tolist() == [True, True, False]
    assert second_looks(rows).complete == 1


def test_those_on_the_front_are_counted(table: Callable[[Rows], pd.DataFrame]) -> None:
    rows = table([STOPPED, ("b", "pruned", "search", ""), look(), ("b", "complete", "search", "")])
    rows["on_front"] = [False, False, True, False]
    assert second_looks(rows) == SecondLooks(complete=2, on_front=1)


def test_an_empty_table_has_none() -> None:
    rows = candidates.frame([], ("accuracy",))
    assert second_looks(rows) == SecondLooks(0, 0)
    assert repeated(rows).tolist() == []


def test_the_column_of_earlier_tables_is_kept_and_not_asked(
    table: Callable[[Rows], pd.DataFrame], tmp_path: Path
) -> None:
    rows = table([STOPPED, look()]).assign(second_look=["", "5"])
    candidates.write(rows, tmp_path)
    read = candidates.read(tmp_path)
    assert read["second_look"].tolist() == ["", "5"]
    assert repeated(read).tolist() == [True, False]


@pytest.mark.parametrize(
    ("ended", "sentence"),
    [
        ((0, 0, 0), ""),
        ((1, 0, 0), "1 stopped candidate got a second look and ran to the end; 0 of 1 reached the front."),
        ((3, 2, 0), "3 stopped candidates got a second look and ran to the end; 2 of 3 reached the front."),
        ((0, 0, 1), "1 stopped candidate got a second look: 1 was stopped again."),
        (
            (3, 1, 2),
            "5 stopped candidates got a second look: 2 were stopped again, 3 ran to the end; 1 of 3 reached the front.",
        ),
    ],
)
def test_what_came_of_them_in_words(ended: tuple[int, int, int], sentence: str) -> None:
    assert SecondLooks(*ended).sentence == sentence


def test_those_that_are_stopped_again_are_counted_once(table: Callable[[Rows], pd.DataFrame]) -> None:
    rows = table([STOPPED, STOPPED, look("duplicate")])
    assert repeated(rows).tolist() == [True, False, False]
    assert second_looks(rows) == SecondLooks(complete=0, on_front=0, stopped=1)
