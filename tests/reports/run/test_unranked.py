"""The page of a long run holds a part of what has no rank, says so, and counts all of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import reports
from reports.panels.learning import learning_info
from reports.run import catalog
from reports.run.catalog import make_catalog
from reports.run.run import RunRecord, load_run
from reports.run.unranked import on_page, without_rank


def rows(**counts: int) -> pd.DataFrame:
    kinds = {"baseline": "baseline"}
    found = [(state, kinds.get(state, "search")) for state, count in counts.items() for _ in range(count)]
    table = pd.DataFrame(found, columns=["state", "kind"])
    table["number"] = np.random.default_rng(0).permutation(len(table))
    return table.sort_values("number")


def test_all_are_there_as_long_as_they_are_few() -> None:
    table = rows(pruned=40, failed=60)
    assert on_page(table, 100) is table


def test_of_many_the_rare_ones_stay_and_the_others_are_spread_over_the_run() -> None:
    held = on_page(rows(pruned=9_000, duplicate=600, failed=20, baseline=6), 1_000)
    assert Counter(held["state"]) == {"baseline": 6, "failed": 20, "duplicate": 487, "pruned": 487}
    assert held["number"].is_monotonic_increasing
    pruned = held.loc[held["state"] == "pruned", "number"].to_numpy()
    assert (pruned[0] < 10, pruned[-1] > 9_600, np.diff(pruned).max() < 60) == (True, True, True)


@pytest.fixture
def run(make_run: Callable[..., Path], make_records: Callable[..., list[dict[str, Any]]]) -> RunRecord:
    return load_run(make_run(make_records(150)))


def test_what_is_left_out_is_counted_and_everything_complete_is_there(run, monkeypatch) -> None:
    whole = make_catalog(run)
    monkeypatch.setattr(catalog, "MOST", 30)
    cut = make_catalog(run)
    assert (whole.left_out, [one.id for one in cut.ranked]) == ({}, [one.id for one in whole.ranked])
    assert [one.id for one in cut.beyond] == [one.id for one in whole.beyond]
    there, all_there = (Counter(one.state for one in found.entries) for found in (cut, whole))
    assert there + Counter(cut.left_out) == all_there
    assert len(without_rank(run)) == sum(cut.left_out.values()) + 30
    counted, drawn = learning_info(run, whole), learning_info(run, cut)
    assert (drawn.counts, drawn.saved, drawn.epochs) == (counted.counts, counted.saved, counted.epochs)
    assert counted.counts == {"pruned": len(counted.pruned), "failed": len(counted.failed)}
    assert len(drawn.pruned) < len(counted.pruned)


def test_the_page_says_what_it_leaves_out(run, monkeypatch, tmp_path) -> None:
    whole = reports.write_html(run.path, tmp_path / "whole.html").read_text()
    assert "are left out" not in whole
    monkeypatch.setattr(catalog, "MOST", 30)
    cut = reports.write_html(run.path, tmp_path / "cut.html").read_text()
    left = make_catalog(run).left_out
    said = ", ".join(f"{count} {state} ones" for state, count in sorted(left.items()))
    assert cut.count(f"{said} are left out") == 2
    assert f"30</span> of {30 + sum(left.values())}" in cut.replace("\n", "")
