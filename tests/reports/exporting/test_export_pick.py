"""Which candidate is exported, and why another one is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fusion_ops.errors import RunError
from reports.candidates import table as candidates
from reports.exporting.pick import picked
from reports.run.run import RunRecord

ROWS: list[tuple[str, str, str, float | None, int, str]] = [
    # id, state, kind, accuracy, params, reason
    ("aaaa111111", "complete", "baseline", 0.90, 100, ""),
    ("aaaa222222", "complete", "search", 0.93, 140, ""),
    ("bbbb333333", "complete", "search", 0.95, 400, ""),
    ("bbbb444444", "complete", "search", 0.95, 300, ""),
    ("cccc555555", "pruned", "search", 0.97, 90, "at epoch 4 of 8"),
    ("dddd666666", "failed", "search", None, 90, "non-finite loss at epoch 2"),
    ("aaaa111111", "duplicate", "search", None, 100, "same architecture as candidate 0"),
    ("eeee777777", "infeasible", "search", None, 9000, "params 9,000 exceeds 5,000"),
    ("ffff888888", "running", "search", None, 100, ""),
    ("0000999999", "complete", "control", 0.99, 100, ""),
]


def run(rows: list[tuple[str, str, str, float | None, int, str]], *objectives: str) -> RunRecord:
    names = objectives or ("accuracy", "params")
    records: list[dict[str, Any]] = [
        {
            "number": number,
            "id": id_,
            "state": state,
            "kind": kind,
            "accuracy": accuracy,
            "loss": None if accuracy is None else (accuracy - 0.93) ** 2,
            "params": params,
            "flops": params,
            "reason": reason,
            "seed": 0,
            "epochs": 8,
            "retries": 0,
        }
        for number, (id_, state, kind, accuracy, params, reason) in enumerate(rows)
    ]
    return RunRecord(Path("runs/a"), {"objectives": list(names)}, candidates.frame(records, names))


def id_of(pick: str, *objectives: str) -> str:
    found: str = picked(run(ROWS, *objectives), pick)["id"]
    return found


def test_best_has_the_highest_quality_then_the_fewest_parameters() -> None:
    assert id_of("best") == "bbbb444444"
    assert id_of("best", "params", "accuracy") == "bbbb444444"


def test_best_by_loss_has_the_lowest() -> None:
    assert id_of("best", "loss", "params") == "aaaa222222"


def test_knee_is_the_bend_of_the_front() -> None:
    assert id_of("knee") == "aaaa222222"


@pytest.mark.parametrize("pick", ["bbbb333333", "bbbb33333", "bbbb3"])
def test_an_id_or_its_first_digits(pick: str) -> None:
    assert id_of(pick) == "bbbb333333"


def test_of_two_rows_of_one_id_the_complete_one_is_taken() -> None:
    row = picked(run(ROWS), "aaaa1")
    assert (row["number"], row["state"]) == (0, "complete")


def test_a_control_can_be_asked_for_by_its_id() -> None:
    assert id_of("0000999999") == "0000999999"


@pytest.mark.parametrize(
    ("pick", "message"),
    [
        ("aaa", r"at least 4 digits of an id; got 'aaa'"),
        ("", r"at least 4 digits of an id; got ''"),
        ("aaaa", r"fits several candidates: aaaa111111, aaaa222222\. Give more digits"),
        ("bbbb333334", r"has the id 'bbbb333334'; near ids: bbbb333333"),
        ("zzzzzzzzzz", r"has the id 'zzzzzzzzzz'; complete candidates: "),
        ("cccc555555", r"cccc555555 is pruned \(at epoch 4 of 8\): it was stopped before its training was done"),
        ("dddd6", r"dddd666666 is failed \(non-finite loss at epoch 2\): its training failed"),
        ("eeee7", r"eeee777777 is infeasible \(params 9,000 exceeds 5,000\): it was not trained"),
        ("ffff8", r"ffff888888 is running: its training is not done"),
    ],
)
def test_refusals_say_why_and_what_else_there_is(pick: str, message: str) -> None:
    with pytest.raises(RunError, match=message):
        picked(run(ROWS), pick)


def test_refusals_name_candidates_that_can_be_exported() -> None:
    with pytest.raises(RunError, match=r"complete candidates: \w{10}, \w{10}, \w{10}\.$") as error:
        picked(run(ROWS), "cccc555555")
    named = str(error.value).partition("candidates: ")[2].rstrip(".").split(", ")
    assert set(named) < {"aaaa111111", "aaaa222222", "bbbb333333", "bbbb444444"}


@pytest.mark.parametrize("pick", ["best", "knee"])
def test_a_run_without_complete_candidates(pick: str) -> None:
    with pytest.raises(RunError, match="run a has no complete candidate yet"):
        picked(run(ROWS[4:9]), pick)
    with pytest.raises(RunError, match="no candidate is complete yet"):
        picked(run(ROWS[4:9]), "cccc555555")


def test_a_front_without_knee() -> None:
    with pytest.raises(RunError, match=r"has no knee: an objective was measured nowhere\. Use --pick best"):
        picked(run(ROWS, "accuracy", "latency"), "knee")
    assert id_of("best", "accuracy", "latency") == "bbbb444444"
