"""The report in a real browser: it works from a file, offline, without an error, at any width."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import reports
from reports.drawing.palette import DARK, LIGHT
from reports.run.run import load_run

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from tests.reports.opened import Open, Opened

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def written(demo_run: Path) -> Path:
    return reports.write_html(demo_run)


@pytest.fixture(scope="module")
def opened(open_report: Open, written: Path) -> Opened:
    """Return a report that several tests use one after the other, its charts drawn."""
    opened = open_report(written)
    opened.wait_for_charts()
    return opened


def test_front_and_table_are_visible(opened: Opened) -> None:
    page = opened.page
    assert page.locator("#verdict .headline").inner_text() == "Not enough evidence: one seed each."
    assert page.locator("#ranking-table").is_visible()
    assert page.locator("#ranking-table tbody tr").count() == 21
    line = page.locator("#chart-tradeoff .scatterlayer .js-line").first.bounding_box()
    assert line is not None
    assert min(line["width"], line["height"]) > 50
    names = page.locator("#chart-tradeoff .legendtext").all_text_contents()
    assert names[0].startswith("front (")
    assert {"pruned (7)", "failed (4)", "infeasible (4)", "baseline (5)", "knee"} <= set(names)
    page.locator("#chart-learning").scroll_into_view_if_needed()
    page.wait_for_selector("#chart-learning .scatterlayer .js-line")
    opened.expect_calm()


def test_columns_sort_both_ways(opened: Opened) -> None:
    ranked = opened.ids()
    values = {entry["id"]: entry["values"]["params"] for entry in opened.client()["entries"]}
    head = opened.page.get_by_role("button", name="parameters", exact=True)
    head.click()
    assert [values[name] for name in opened.ids()] == sorted(values[name] for name in ranked)
    assert opened.page.locator("th[aria-sort]").get_attribute("aria-sort") == "ascending"
    head.click()
    assert [values[name] for name in opened.ids()] == sorted((values[name] for name in ranked), reverse=True)
    opened.page.get_by_role("button", name="rank", exact=True).click()
    assert opened.ids()[0] == ranked[0]
    opened.expect_calm()


def test_clicking_a_mark_shows_its_architecture(opened: Opened) -> None:
    page, client = opened.page, opened.client()
    first = page.locator("#architecture-id").inner_text()
    assert first == client["first"]
    other = next(e for e in client["entries"] if e["rank"] == 1 and e["id"] != first and e["kind"] == "search")
    opened.click_mark(other["id"])
    page.wait_for_function("id => document.getElementById('architecture-id').textContent === id", arg=other["id"])
    texts = [client["choices"][place]["text"] for place in other["chosen"]]
    assert page.locator("#architecture .node .op").all_text_contents() == texts
    symbols = [f"#{client['choices'][place]['symbol']}" for place in other["chosen"]]
    assert page.locator("#architecture .node use").evaluate_all("a => a.map(u => u.getAttribute('href'))") == symbols
    rows = page.locator("#point-rows tr").evaluate_all("rows => rows.map(row => row.cells[2].textContent)")
    assert rows == [text.split()[0] for text in texts]
    assert page.locator("#architecture-command").text_content() == other["command"]
    assert page.locator("#selection h3").inner_text() == other["id"]
    assert page.locator("#ranking-table tr.selected").get_attribute("data-id") == other["id"]
    opened.expect_calm()


def test_the_specification_is_the_architecture_of_the_table(opened: Opened) -> None:
    table = load_run(opened.path.parent).table.set_index("id")
    for identifier in opened.ids()[:4]:
        opened.page.locator("#architecture-select").select_option(identifier)
        spec = json.loads(opened.page.locator("#architecture-spec").text_content() or "")
        assert spec == json.loads(table.loc[[identifier], "architecture"].iloc[0])
    opened.expect_calm()


def test_axes_can_be_changed(opened: Opened) -> None:
    page = opened.page
    page.locator("#axis-x").select_option("accuracy")
    page.locator("#axis-y").select_option("flops")
    page.locator("#log-y").check()
    page.locator("#fit").uncheck()
    page.wait_for_function("() => document.getElementById('chart-tradeoff')._fullLayout.yaxis.type === 'log'")
    drawn = page.evaluate(
        """() => {
            const element = document.getElementById("chart-tradeoff");
            const front = element._fullData.find(trace => trace.meta === "front");
            return { x: front.x, y: front.y, shape: front.line.shape, title: element.layout.xaxis.title.text };
        }"""
    )
    ranked = [entry["values"] for entry in opened.client()["entries"] if entry["rank"] is not None]
    expected = sorted(
        (a["accuracy"], a["flops"])
        for a in ranked
        if not any(
            b["accuracy"] >= a["accuracy"]
            and b["flops"] <= a["flops"]
            and (b["accuracy"], b["flops"]) != (a["accuracy"], a["flops"])
            for b in ranked
        )
    )
    assert list(zip(drawn["x"], drawn["y"], strict=True)) == expected
    assert (drawn["shape"], drawn["title"]) == ("vh", "accuracy")
    assert page.locator("#front-rows tr").count() == len(expected)
    opened.expect_calm()


def test_downloads_hold_every_candidate(opened: Opened, tmp_path: Path) -> None:
    entries = {entry["id"]: entry for entry in opened.client()["entries"]}
    for name in ("csv", "json"):
        with opened.page.expect_download() as download:
            opened.page.locator(f"#save-{name}").click()
        assert download.value.suggested_filename == f"demo-ranking.{name}"
        download.value.save_as(tmp_path / f"saved.{name}")
    with (tmp_path / "saved.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    saved = json.loads((tmp_path / "saved.json").read_text(encoding="utf-8"))
    assert [row["id"] for row in rows] == [row["id"] for row in saved] == list(entries)
    for row, item in zip(rows, saved, strict=True):
        entry = entries[row["id"]]
        assert item["accuracy"] == entry["values"]["accuracy"]
        assert row["reason"] == item["reason"] == entry["reason"]
        assert row["params"] == str(int(entry["values"]["params"]))
    opened.expect_calm()


def test_a_wide_window_fits(opened: Opened) -> None:
    opened.page.set_viewport_size({"width": 2000, "height": 900})
    opened.expect_fit(2000)
    opened.page.set_viewport_size({"width": 1280, "height": 900})
    opened.expect_fit(1280)
    opened.expect_calm()


def test_figures_follow_the_colour_scheme(opened: Opened) -> None:
    ink = "document.getElementById('chart-tradeoff')._fullLayout.font.color"
    opened.page.emulate_media(color_scheme="dark")
    opened.page.wait_for_function(f"() => {ink} === '{DARK['ink']}'")
    opened.page.emulate_media(color_scheme="light")
    opened.page.wait_for_function(f"() => {ink} === '{LIGHT['ink']}'")
    opened.expect_calm()


def test_a_narrow_window_fits_and_strings_of_users_stay_text(
    open_report: Open, make_run: Callable[..., Path], make_records: Callable[..., list[dict[str, Any]]]
) -> None:
    evil = "</script><img src=x onerror=\"document.title='broken'\"><b>bold</b>\u2028" + "unbroken" * 40
    records = [{**row, "reason": evil} for row in make_records()]
    opened = open_report(reports.write_html(make_run(records)), width=400, color_scheme="dark")
    opened.wait_for_charts()
    stopped = next(entry for entry in opened.client()["entries"] if entry["state"] == "pruned")
    assert stopped["reason"] == evil
    opened.page.locator("#fit").uncheck()
    opened.click_mark(stopped["id"])
    opened.page.wait_for_selector("#chart-tradeoff .hoverlayer .hovertext")
    assert (opened.page.locator(".hoverlayer .hovertext").text_content() or "").startswith(
        f"candidate {stopped['number']}  {stopped['id']}"
    )
    assert evil in (opened.page.locator("#selection").text_content() or "")
    opened.page.evaluate("document.querySelectorAll('details').forEach((details) => (details.open = true))")
    opened.expect_fit(400)
    assert opened.page.locator("img").count() == 0
    assert opened.page.title() == "demo · fusion-nas"
    opened.expect_calm()


def test_a_thousand_candidates_show_in_two_seconds(
    open_report: Open, make_run: Callable[..., Path], make_records: Callable[..., list[dict[str, Any]]]
) -> None:
    opened = open_report(reports.write_html(make_run(make_records(1000))))
    assert opened.first_paint() < 2000 or opened.reloaded().first_paint() < 2000
    first = opened.ids()
    ranked = [entry["id"] for entry in opened.client()["entries"] if entry["rank"] is not None]
    assert first == ranked[: len(first)]
    assert 25 <= len(first) < 60
    opened.page.locator("#show-all").click()
    opened.page.wait_for_function(
        "n => document.querySelectorAll('#ranking-table tbody tr').length === n", arg=len(ranked)
    )
    assert opened.ids() == ranked
    assert not opened.page.locator("#show-all").is_visible()
    opened.wait_for_charts()
    opened.expect_calm()


def test_plotly_beside_the_report_is_loaded(open_report: Open, make_run: Callable[..., Path]) -> None:
    opened = open_report(reports.write_html(make_run(), assets="directory"))
    opened.wait_for_charts()
    assert opened.errors == []
    assert len(opened.requests) == 2
    assert opened.requests[1].startswith(f"{opened.path.parent.as_uri()}/report-assets/plotly-")


def test_without_javascript_nothing_dead_is_shown(open_report: Open, written: Path) -> None:
    opened = open_report(written, java_script_enabled=False)
    page = opened.page
    assert page.locator("#verdict .headline").is_visible()
    assert page.locator("#ranking-table tbody tr:visible").count() == 21
    assert page.locator("#architecture .node").first.is_visible()
    for name in ("#tradeoff-controls", "#save-csv", "#chart-tradeoff", "#architecture-select"):
        assert not page.locator(name).is_visible()
