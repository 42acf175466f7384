"""The report of a table from any tool."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import reports
from fusion_ops.errors import ConfigError, DataError
from reports.general.parameters import parameters_info
from reports.general.progress import progress_info
from reports.general.record import table_record
from reports.general.tradeoff import tradeoff_info
from tests.reports.html.test_html import Page

OBJECTIVES = {"map50": "maximize", "gflops": "minimize"}
EVIL = "</script><img src=x onerror=\"document.title='broken'\"><b>bold %{x} {{7*7}}"


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    neck = rng.choice(["fpn", "pan", EVIL], 60)
    return pd.DataFrame(
        {
            "map50": 0.5 + 0.1 * (neck == "pan") + 0.02 * rng.normal(size=60),
            "gflops": rng.uniform(1, 9, 60),
            "neck": neck,
            "lr": rng.uniform(0, 1, 60),
            "params": rng.integers(1000, 9000, 60),
            "state": ["complete"] * 55 + ["failed"] * 5,
        }
    )


def test_columns_of_no_measure_are_parameters(table: pd.DataFrame) -> None:
    record = table_record(table, OBJECTIVES)
    assert [measure.name for measure in record.measures] == ["map50", "gflops", "params"]
    assert record.parameters == ("neck", "lr")
    assert dict(record.counts) == {"complete": 55, "failed": 5}


def test_only_whole_names_are_set_aside_and_said(table: pd.DataFrame) -> None:
    record = table_record(table.assign(latency_ms_weight=1, clock_rate=2, test_accuracy=0.5, rank=1), OBJECTIVES)
    assert record.parameters == ("neck", "lr", "latency_ms_weight", "clock_rate")
    assert record.missing[-2:] == (
        "column `rank` is set aside: a ranking has its own",
        "column `test_accuracy` is set aside: fusion-nas writes one of that name",
    )


def test_columns_may_be_called_by_numbers(tmp_path: Path) -> None:
    table = pd.DataFrame({"error": [0.3, 0.1, 0.2, 0.4], 0: ["a", "b", "a", "b"]})
    record = table_record(table, {"error": "minimize"})
    assert record.parameters == ("0",)
    assert reports.write_html(table, tmp_path / "t.html", objectives={"error": "minimize"}).exists()
    assert list(table.columns) == ["error", 0]


def test_what_the_values_of_a_parameter_do(table: pd.DataFrame) -> None:
    info = parameters_info(table_record(table, OBJECTIVES))
    (neck,) = info.parameters
    assert (neck.name, info.beside, info.problem) == ("neck", ("lr",), "")
    assert neck.share is not None
    assert neck.share.evidence
    complete = table[table["state"] == "complete"]
    for one in neck.values:
        sample = complete.loc[complete["neck"] == one.cell.label, "map50"]
        assert (one.cell.n, one.best) == (len(sample), sample.max())
        assert one.cell.mean == pytest.approx(sample.mean())
    best = neck.values[0].cell
    assert (best.label, best.evidence) == ("pan", True)
    assert best.low is not None
    # It was planted: 0.1 more than the two others, each of a third.
    assert best.low < 0.1 * 2 / 3 < (best.high or 0)


def test_losses_point_the_right_way_and_what_changes_together_is_not_told_apart() -> None:
    rng = np.random.default_rng(0)
    how = rng.choice(["a", "b"], 40)
    table = pd.DataFrame(
        {"error": 0.3 - 0.1 * (how == "b") + 0.01 * rng.normal(size=40), "how": how, "same": how + "!"}
    )
    alone = parameters_info(table_record(table[["error", "how"]], {"error": "minimize"})).parameters
    assert [one.cell.label for one in alone[0].values] == ["b", "a"]
    assert alone[0].values[0].best == table["error"].min()
    assert alone[0].values[0].cell.effect is not None
    assert alone[0].values[0].cell.effect > 0
    both = parameters_info(table_record(table, {"error": "minimize"})).parameters
    assert {one.name: one.alike for one in both} == {"how": ("same",), "same": ("how",)}
    assert not any(one.share is not None and one.share.evidence for one in both)
    twins = table.assign(same=how)
    same = parameters_info(table_record(twins, {"error": "minimize"})).parameters
    assert {one.name: one.alike for one in same} == {"how": ("same",), "same": ("how",)}


def test_importance_takes_the_objectives_of_any_table(table: pd.DataFrame) -> None:
    found = reports.importance(table, OBJECTIVES, points=["neck"], beside=["lr"])
    assert found["evidence"].tolist() == [True]


def test_one_objective_grows_and_has_no_trade_off() -> None:
    record = table_record(pd.DataFrame({"error": [0.3, 0.1, 0.2]}), {"error": "minimize"})
    assert tradeoff_info(record).fronts == ()
    grown = progress_info(record)
    assert grown is not None
    assert grown.share[1:] == (1.0, 1.0)


def test_progress_goes_by_when_they_ended(table: pd.DataFrame) -> None:
    turned = table.assign(finished=[f"2026-01-01T00:00:{60 - row:02d}" for row in range(1, 61)])
    first, last = progress_info(table_record(table, OBJECTIVES)), progress_info(table_record(turned, OBJECTIVES))
    assert first is not None
    assert last is not None
    assert first.share != last.share
    assert last.share == progress_info(table_record(table[::-1].reset_index(drop=True), OBJECTIVES)).share  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("finished", "order"),
    [
        (["soon", "later", "now"], [0, 1, 2]),
        (["2026-01-03", "2026-01-01T00:00:00+00:00", "2026-01-02"], [1, 2, 0]),
        (["2026-01-01T10:00:00+02:00", "2026-01-01T09:00:00+00:00", "2026-01-01T08:30:00+00:00"], [0, 2, 1]),
        (pd.to_datetime(["2026-01-03", "2026-01-02", "2026-01-01"]), [2, 1, 0]),
        ([3, 10, 2.5], [2, 0, 1]),
        ([3, 10, None], [0, 1, 2]),
    ],
)
def test_what_ended_is_ordered_by_dates_or_numbers_alone(finished: Any, order: list[int]) -> None:
    table = pd.DataFrame({"error": [0.3, 0.2, 0.1], "epochs": [1, 10, 100], "finished": finished})
    info = progress_info(table_record(table, {"error": "minimize"}))
    assert info is not None
    assert list(info.epochs) == np.cumsum(table["epochs"].to_numpy()[order]).tolist()


def test_epochs_may_be_texts_and_empty(tmp_path: Path, make_table: Callable[..., pd.DataFrame]) -> None:
    table = pd.DataFrame({"error": [0.3, 0.1, 0.2], "epochs": ["3", "", "4.0"]})
    info = progress_info(table_record(table, {"error": "minimize"}))
    assert info is not None
    assert info.epochs == (3, 3, 7)
    odd = make_table(4).astype({"epochs": object})
    odd["epochs"] = ["3", "", "4.0", None]
    assert reports.write_html(odd, tmp_path / "t.html", objectives=["accuracy", "params"]).exists()


def test_the_page_says_by_what_the_progress_goes(tmp_path: Path) -> None:
    table = pd.DataFrame({"error": [0.3, 0.1], "finished": ["2026-01-02", "2026-01-01"]})
    for finished, said in ((table["finished"], "in which they ended"), ("soon", "in which they are numbered")):
        path = reports.write_html(
            table.assign(finished=finished), tmp_path / "t.html", objectives={"error": "minimize"}
        )
        assert said in path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"epochs": "q"}, "column `epochs` must be a number; got 'q' in row 0"),
        ({"epochs": [1, None, np.inf]}, "column `epochs` must be a number of at least 0; got inf in row 2"),
        ({"finished": [None, 5, "2026-01-01"]}, "must have dates or numbers, not both; got '2026-01-01' in row 2"),
        ({"finished": ["2026-01-01", pd.Timestamp(2026, 1, 2), 5]}, "not both; got 5 in row 2"),
    ],
)
def test_wrong_epochs_and_ends_are_named_by_row(columns: dict[str, Any], message: str, tmp_path: Path) -> None:
    table = pd.DataFrame({"error": [0.3, 0.2, 0.1]}).assign(**columns)
    with pytest.raises(DataError) as raised:
        reports.write_html(table, tmp_path / "t.html", objectives={"error": "minimize"})
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_the_page_is_whole_and_escaped(table: pd.DataFrame, tmp_path: Path) -> None:
    page = Page(reports.write_html(table, tmp_path / "t.html", objectives=OBJECTIVES).read_text(encoding="utf-8"))
    sections = [attributes["id"] for tag, attributes in page.tags if tag == "section"]
    assert sections == ["tradeoff", "ranking", "progress", "parameters", "held"]
    assert EVIL in page.text
    assert "no column number: rows are numbered" in page.text
    assert "img" not in [tag for tag, _ in page.tags]


def test_a_table_needs_objectives(table: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="a table needs `objectives`, such as"):
        reports.write_html(table, tmp_path / "t.html")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("columns", [["accuracy", "params", "architecture"], None])
def test_architectures_bring_the_panels_of_a_run(
    make_table: Callable[..., pd.DataFrame], tmp_path: Path, columns: list[str] | None
) -> None:
    table = make_table(20)
    if columns is not None:
        table = table.loc[table["state"] == "complete", columns]
    objectives = ["accuracy", "params"]
    page = Page(reports.write_html(table, tmp_path / "t.html", objectives=objectives).read_text(encoding="utf-8"))
    assert {"verdict", "ranking", "architecture"} <= {a.get("id") for tag, a in page.tags if tag == "section"}
    assert "fusion-nas export" not in page.text
    assert "fusion-nas retrain" not in page.text
    for one in reports.rank(table, objectives)["id"] if columns is None else []:
        assert one in page.text


def test_wrong_architectures_are_named_by_row(make_table: Callable[..., pd.DataFrame], tmp_path: Path) -> None:
    table = make_table(9).astype({"architecture": object})
    wrong: list[tuple[Any, str]] = [("", "it is empty in row 3"), ("{}", "column `architecture`, row 3: ")]
    for value, message in wrong:
        table.loc[3, "architecture"] = value
        with pytest.raises(DataError, match=message):
            reports.write_html(table, tmp_path / "t.html", objectives=["accuracy", "params"])
    odd = make_table(9).assign(epochs="q")
    with pytest.raises(DataError, match="column `epochs` must be a number; got 'q' in row 0"):
        reports.write_html(odd, tmp_path / "t.html", objectives=["accuracy", "params"])
    with pytest.raises(ConfigError, match="`accuracy` is to maximize wherever fusion-nas shows it, not to minimize"):
        reports.write_html(table, tmp_path / "t.html", objectives={"accuracy": "minimize"})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.browser
def test_in_a_browser(table: pd.DataFrame, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = reports.write_html(table.assign(id=[f"{EVIL}{row}" for row in range(60)]), tmp_path / "t.html",
                              objectives=OBJECTIVES)  # fmt: skip
    opened = request.getfixturevalue("open_report")(path, width=360)
    page = opened.page
    page.wait_for_selector("#chart-tradeoff .scatterlayer .js-line")
    drawn = "document.getElementById('chart-tradeoff')"
    assert len(page.evaluate(f"{drawn}._fullData[0].x")) == 55
    page.locator("#tradeoff-x").select_option("params")
    page.wait_for_function(f"() => {drawn}._fullLayout.xaxis.title.text === 'parameters'")
    front = reports.pareto(table, {"map50": "maximize", "params": "minimize"}).sort_values("params")
    assert page.evaluate(f"{drawn}._fullData[1].x") == front["params"].tolist()
    page.locator("#chart-progress").scroll_into_view_if_needed()
    page.wait_for_selector("#chart-progress .scatterlayer .js-line")
    for summary in page.locator("summary").all():
        summary.click()
    for width in (360, 1600):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.locator("img").count() == 0
    assert page.title() == "table of candidates · fusion-nas"
    opened.expect_calm()


@pytest.mark.browser
def test_axe_finds_nothing_and_nothing_moves(
    table: pd.DataFrame, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = reports.write_html(table, tmp_path / "t.html", objectives=OBJECTIVES)
    opened = request.getfixturevalue("open_report")(path)
    opened.read_through()
    opened.expect_still()
    opened.page.evaluate("document.querySelectorAll('details').forEach((details) => (details.open = true))")
    for scheme in ("light", "dark"):
        opened.page.emulate_media(color_scheme=scheme)
        opened.expect_accessible()
