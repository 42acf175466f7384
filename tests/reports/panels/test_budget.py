"""The budgets of the report: their sliders, the address that keeps them, and the panels that follow."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import reports
from reports.panels.budget import budget_info
from reports.run.catalog import make_catalog
from reports.run.run import load_run

MakeRecords = Callable[..., list[dict[str, Any]]]
MakeRun = Callable[..., Path]


def info_of(run: Path) -> Any:
    loaded = load_run(run)
    return budget_info(loaded, make_catalog(loaded))


def test_every_cost_has_an_upper_limit_and_the_quality_a_lower_one(
    make_run: MakeRun, make_records: MakeRecords
) -> None:
    records = [row | {"latency_ms": 1.5 + row["number"] % 3} for row in make_records()]
    info = info_of(make_run(records))
    assert [(limit.measure.name, limit.bound) for limit in info.limits] == [
        ("params", "at most"), ("flops", "at most"), ("latency", "at most"), ("accuracy", "at least"),
    ]  # fmt: skip
    assert info.limits[2].steps == (1.5, 2.5, 3.5)
    complete = {row["params"] for row in records if row["state"] == "complete"}
    assert info.limits[0].steps == tuple(sorted(complete))
    assert info.candidates > info.complete == len(load_run(make_run(records, name="again")).ranked)


def test_a_quality_that_is_to_be_low_has_an_upper_limit(make_run: MakeRun) -> None:
    info = info_of(make_run(objectives=("loss", "accuracy", "params")))
    assert {limit.measure.name: limit.bound for limit in info.limits} == {
        "params": "at most", "flops": "at most", "loss": "at most", "accuracy": "at least",
    }  # fmt: skip


@pytest.mark.parametrize(("states", "limits"), [([], set()), (["infeasible", "running"], {"params", "flops"})])
def test_limits_stop_at_what_is_known(
    states: list[str], limits: set[str], make_run: MakeRun, make_records: MakeRecords
) -> None:
    records = [
        row | {"state": state, "curve": [], "accuracy": None, "loss": None}
        for row, state in zip(make_records(len(states)), states, strict=True)
    ]
    run = make_run(records)
    assert {limit.measure.name for limit in info_of(run).limits} == limits
    text = reports.write_html(run).read_text(encoding="utf-8")
    assert ("There is no candidate with a cost or a quality yet." in text) == (not limits)
