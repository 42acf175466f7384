"""The ranking of candidates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fusion_ops.errors import ConfigError, DataError, UnknownNameError
from reports import rank
from reports.candidates import table as candidates

OBJECTIVES = ("accuracy", "params")


def table(rows: list[dict[str, Any]], objectives: tuple[str, ...] = OBJECTIVES) -> pd.DataFrame:
    """Return a table of rows of which only what matters is given."""
    base: dict[str, Any] = {
        "state": "complete",
        "reason": "",
        "kind": "search",
        "seed": 0,
        "epochs": 1,
        "flops": 1,
        "retries": 0,
        "architecture": "{}",
    }
    records = [base | {"number": number, "id": f"id{number}"} | row for number, row in enumerate(rows)]
    return candidates.frame(records, objectives)


def row(accuracy: float | None, params: int, **more: Any) -> dict[str, Any]:
    return {"accuracy": accuracy, "params": params} | more


def test_sorts_by_rank_then_quality_and_marks_the_knee() -> None:
    ranked = rank(table([row(0.80, 50), row(0.90, 100), row(0.99, 400), row(0.97, 120), row(0.96, 130)]), OBJECTIVES)
    assert ranked["id"].tolist() == ["id2", "id3", "id1", "id0", "id4"]
    assert ranked["rank"].tolist() == [1, 1, 1, 1, 2]
    assert ranked["knee"].tolist() == [False, True, False, False, False]
    assert ranked["contribution"].iloc[-1] == 0
    assert (ranked["contribution"].iloc[:4] > 0).all()


def test_only_complete_candidates_of_the_search_and_baselines_are_ranked() -> None:
    states = ["complete", "pruned", "failed", "infeasible", "duplicate", "running"]
    rows = [row(0.9, 10, state=state) for state in states]
    rows += [row(0.8, 5, kind=kind) for kind in ("baseline", "control", "retrain")]
    assert rank(table(rows), OBJECTIVES)["id"].tolist() == ["id0", "id6"]


def test_an_architecture_counts_once_by_its_first_row() -> None:
    ranked = rank(table([row(0.7, 10, id="a"), row(0.9, 10, id="a"), row(0.8, 10, id="b")]), OBJECTIVES)
    assert ranked["number"].tolist() == [2, 0]


def test_equal_candidates_share_the_front_and_keep_their_order() -> None:
    ranked = rank(table([row(0.9, 10), row(0.9, 10), row(0.9, 11)]), OBJECTIVES)
    assert ranked["number"].tolist() == [0, 1, 2]
    assert ranked["rank"].tolist() == [1, 1, 2]


def test_of_equal_quality_the_smaller_network_comes_first() -> None:
    ranked = rank(table([row(0.9, 30), row(0.9, 10), row(0.9, 20)], ("accuracy",)), ("accuracy",))
    assert ranked["params"].tolist() == [10, 20, 30]


def test_what_was_not_measured_stands_behind_all_others() -> None:
    ranked = rank(table([row(None, 1), row(0.5, 100), row(0.4, 200)]), OBJECTIVES)
    assert ranked["id"].tolist() == ["id1", "id2", "id0"]
    assert ranked["rank"].tolist() == [1, 2, 3]


def test_loss_is_minimised() -> None:
    ranked = rank(table([row(0.9, 10, loss=0.5), row(0.9, 10, loss=0.2)], ("loss",)), ("loss",))
    assert ranked["loss"].tolist() == [0.2, 0.5]


def test_an_empty_table_has_an_empty_ranking() -> None:
    ranked = rank(candidates.frame([], OBJECTIVES), OBJECTIVES)
    assert ranked.empty
    assert {"rank", "contribution", "knee"} <= set(ranked.columns)


@pytest.mark.parametrize(
    ("objectives", "error", "message"),
    [
        (("accuracy", "size"), UnknownNameError, "unknown objective `size`"),
        (("params", "flops"), ConfigError, "`objectives` needs one of accuracy, "),
    ],
)
def test_wrong_objectives_are_refused(objectives: tuple[str, ...], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        rank(table([row(0.9, 1)]), objectives)


def test_a_real_table_keeps_its_columns(make_table: Callable[..., pd.DataFrame]) -> None:
    made = make_table(40)
    ranked = rank(made, OBJECTIVES)
    assert list(ranked.columns) == [*made.columns, "rank", "contribution", "knee"]
    assert (ranked.loc[ranked["on_front"], "rank"] == 1).all()
    assert set(ranked.loc[ranked["rank"] == 1, "id"]) == set(made.loc[made["on_front"], "id"])


MEASURED = st.lists(
    st.tuples(
        st.one_of(st.none(), st.sampled_from([0.1, 0.5, 0.5, 0.9, 1.0])),
        st.integers(1, 4),
        st.sampled_from(["complete", "complete", "pruned"]),
    ),
    max_size=14,
)


@given(MEASURED)
@settings(max_examples=60, deadline=None)
def test_ranking_properties(measured: list[tuple[float | None, int, str]]) -> None:
    made = table([row(accuracy, params, state=state) for accuracy, params, state in measured])
    ranked = rank(made, OBJECTIVES)
    assert sorted(ranked["number"]) == sorted(made.loc[made["state"] == "complete", "number"])
    assert ranked["rank"].is_monotonic_increasing
    assert set(ranked["rank"]) == set(range(1, len(set(ranked["rank"])) + 1))
    known = ranked[ranked["accuracy"].notna()]
    assert int(ranked["knee"].sum()) == (1 if len(known) else 0)
    assert (ranked.loc[ranked["knee"], "rank"] == 1).all()
    assert ((ranked["contribution"] >= 0) & (ranked["contribution"] <= 1)).all()
    assert (ranked.loc[ranked["rank"] > 1, "contribution"] == 0).all()
    for _, group in known.groupby("rank"):
        assert group["accuracy"].is_monotonic_decreasing
        # Within a front, a better candidate costs more.
        assert group.sort_values(["accuracy", "params"])["params"].is_monotonic_increasing
    shuffled = made.iloc[np.random.default_rng(0).permutation(len(made))]
    assert rank(shuffled, OBJECTIVES)["id"].tolist() == ranked["id"].tolist()


def test_parameters_that_are_no_numbers_do_not_keep_others_from_being_ranked() -> None:
    given = pd.DataFrame({"id": ["a", "b"], "accuracy": [0.9, 0.8], "params": ["1.2M", "900k"]})
    assert rank(given, ["accuracy"])["id"].tolist() == ["a", "b"]


def test_a_constraint_on_a_column_that_is_missing_or_no_number_is_an_error() -> None:
    given = pd.DataFrame({"id": ["a", "b"], "accuracy": [0.9, 0.8], "params": [10, 20]})
    with pytest.raises(DataError, match="flops"):
        rank(given, OBJECTIVES, {"flops": 10})
    with pytest.raises(DataError, match="flops"):
        rank(given.assign(flops=[5, "n/a"]), OBJECTIVES, {"flops": 10})


def test_a_candidate_that_is_there_twice_is_ranked_once_with_constraints_too() -> None:
    given = pd.DataFrame({"id": ["a", "a", "b"], "accuracy": [0.9, 0.9, 0.8], "params": [10, 90, 20]})
    assert sorted(rank(given, OBJECTIVES, {"params": 50})["id"]) == ["a", "b"]
