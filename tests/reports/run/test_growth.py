"""Hypervolume by candidates and epochs, and the checked stops: numbers, panel, page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import reports
from reports.candidates import table as candidates
from reports.panels.learning import learning_info
from reports.panels.progress import progress_data, progress_figure, progress_info
from reports.panels.verdict import verdict_info
from reports.run.audits import Audit, audit
from reports.run.catalog import make_catalog
from reports.run.growth import growth
from reports.run.run import load_run

Records = Callable[..., list[dict[str, Any]]]


def told(row: dict[str, Any], accuracy: float, params: int, epochs: int, **known: Any) -> dict[str, Any]:
    curve = [accuracy] * epochs
    measures = {"accuracy": accuracy, "params": params, "curve": curve, "epochs": epochs, "state": "complete"}
    return row | measures | {"finished": f"2026-03-02T10:{row['number']:02d}:00.000+00:00"} | known


@pytest.fixture
def run(make_run: Callable[..., Path], make_records: Records) -> Path:
    """A search of four candidates, one pruned; random search; one epoch for all, then the top."""
    rows = make_records(10)
    values = [
        (0.8, 200, 4, {}),
        (0.7, 300, 1, {"state": "pruned"}),
        (0.6, 100, 4, {}),
        (0.8, 100, 4, {"audit": 1, "reason": "audit: would have been stopped at epoch 1"}),
        (0.6, 200, 4, {"audit": 2}),
        (0.7, 100, 4, {"kind": "control", "series": "random"}),
        (0.8, 200, 4, {"kind": "control", "series": "random", "state": "duplicate"}),
        (0.5, 100, 1, {"kind": "control", "series": "one_epoch", "state": "pruned"}),
        (0.9, 200, 1, {"kind": "control", "series": "one_epoch", "state": "duplicate"}),
        (0.6, 100, 4, {"kind": "control", "series": "one_epoch_top"}),
    ]
    return make_run(
        [told(row, *value[:3], **({"kind": "search"} | value[3])) for row, value in zip(rows, values, strict=True)]
    )


def test_hypervolume_by_epochs(run: Path) -> None:
    search, random, short = growth(load_run(run))
    assert (search.name, random.name, short.name) == (
        "this search",
        "random search",
        "one epoch for all, then the top",
    )
    # Scaled to [0, 1] and bounded at 1.1, (0.8, 100) is the origin and dominates 1.21.
    assert search.epochs == (4, 5, 9, 13, 17)
    assert search.share == pytest.approx((0.11 / 1.21, 0.11 / 1.21, 0.21 / 1.21, 1, 1), abs=1e-6)
    assert random.epochs == (4, 8)
    assert random.share == pytest.approx((0.66 / 1.21, 0.71 / 1.21), abs=1e-6)
    assert short.epochs == (1, 2, 6)
    assert short.share == pytest.approx((0, 0, 0.11 / 1.21), abs=1e-6)


def test_what_breaks_a_constraint_adds_nothing(run: Path) -> None:
    table = candidates.read(run)
    table.loc[table["number"] == 3, "feasible"] = False
    candidates.write(table, run)
    record = load_run(run)
    assert growth(record)[0].share[-1] == growth(record)[0].share[2]
    assert 3 not in record.ranked["number"].tolist()


def test_the_comparison_is_apart_from_the_search(run: Path) -> None:
    record = load_run(run)
    assert record.table["number"].tolist() == [0, 1, 2, 3, 4]
    assert record.contests["number"].tolist() == [5, 6, 7, 8, 9]
    assert max(entry.number for entry in make_catalog(record).entries) == 4


def test_the_panel_draws_every_search(run: Path) -> None:
    record = load_run(run)
    info = progress_info(record, make_catalog(record))
    figure = progress_figure(info)
    assert [trace.name for trace in figure.data] == [search.name for search in info.searches]
    assert list(figure.data[0].x) == [4, 5, 9, 13, 17]
    assert progress_data(info)["candidates"][0] == [1, 2, 3, 4, 5]
    assert info.first(info.searches[0], 0.99) == (4, 13)
    assert info.first(info.searches[1], 0.99) is None
    assert "random search 58.7 % after 8 epochs" in info.compared
    assert "chance is not excluded" in info.compared


def test_without_a_comparison_the_page_says_how_to_get_one(make_run: Callable[..., Path]) -> None:
    path = make_run()
    assert len(growth(load_run(path))) == 1
    assert "search.random_baseline=true" in reports.write_html(path).read_text(encoding="utf-8")


def test_nothing_complete_draws_nothing(make_run: Callable[..., Path], make_records: Records) -> None:
    rows = [row | {"state": "failed"} for row in make_records(3)]
    path = make_run(rows)
    assert growth(load_run(path)) == ()
    assert "No candidate is complete yet." in reports.write_html(path).read_text(encoding="utf-8")


# Checked stops


def test_wrong_stops_are_the_checked_ones_on_the_front(run: Path) -> None:
    record = load_run(run)
    checked = audit(record.table)
    assert (checked.checked, checked.wrong, checked.stopped) == (2, 1, 1)
    assert checked.interval == pytest.approx((0.0945, 0.9055), abs=1e-4)
    catalog = make_catalog(record)
    assert learning_info(record, catalog).audit == checked
    assert ("wrong stops", "1 of 2", "stopped candidates that ran on as a check") in verdict_info(record, catalog).facts
    page = reports.write_html(run).read_text(encoding="utf-8")
    assert "1 of 2 reached the front (wrong stops 50 %, 95 %: 9 to 91 %)" in page


@pytest.mark.parametrize(
    ("counts", "says"),
    [
        ((0, 0, 0), ""),
        ((0, 0, 3), "No stopped candidate ran on"),
        ((1, 0, 3), "As a check, 1 candidate that was to be"),
    ],
)
def test_what_is_said_of_few_checks(counts: tuple[int, int, int], says: str) -> None:
    assert Audit(*counts).sentence.startswith(says)
    assert bool(Audit(*counts).sentence) == bool(says)


def test_second_looks_are_counted_and_their_epochs_are_not_saved(run: Path) -> None:
    table = candidates.read(run)
    table.loc[table["number"] == 1, "id"] = table.loc[table["number"] == 3, "id"].item()
    candidates.write(table, run)
    record = load_run(run)
    info = learning_info(record, make_catalog(record))
    assert (info.second_looks.complete, info.second_looks.on_front) == (1, 1)
    assert info.saved == -1
    assert ("epochs", "17", "47 % fewer than in full") in verdict_info(record, make_catalog(record)).facts
    page = reports.write_html(run).read_text(encoding="utf-8")
    assert "1 stopped candidate got a second look and ran to the end; 1 of 1 reached the front." in page


def test_tables_of_earlier_versions_are_read(run: Path) -> None:
    table = pd.read_csv(run / candidates.FILE, dtype=str, keep_default_na=False)
    table.drop(columns=["audit", "feasible", "series"]).to_csv(run / candidates.FILE, index=False)
    old = candidates.read(run)
    assert old["feasible"].all()
    assert old["audit"].isna().all()
    assert (old["series"] == "").all()


def test_no_verdict_where_nothing_meets_the_constraints(run: Path) -> None:
    table = candidates.read(run)
    table["feasible"] = False
    candidates.write(table, run)
    record = load_run(run)
    verdict = verdict_info(record, make_catalog(record)).verdict
    assert verdict.headline == "No verdict: no candidate meets the constraints."
    assert verdict.sentence.startswith("None of the 4 complete candidates meets the constraints.")
