"""How the page is read, in a real browser: by keyboard, by people who cannot see it, on paper, on any screen."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import reports
from fusion_ops.operator import OPERATORS
from fusion_ops.sum import Sum
from reports.drawing.palette import LIGHT
from spaces import Architecture

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from tests.reports.opened import Open, Opened

pytestmark = pytest.mark.browser

EVIL = "</script><img src=x onerror=alert(1)>'\"&amp;<b>"


@pytest.fixture(scope="module")
def written(demo_run: Path) -> Path:
    return reports.write_html(demo_run)


@pytest.fixture(scope="module")
def opened(open_report: Open, written: Path) -> Opened:
    """Return a report that was read through: its charts are drawn."""
    opened = open_report(written)
    opened.read_through()
    return opened


def test_nothing_moves_while_the_page_comes_and_charts_are_drawn(opened: Opened) -> None:
    opened.expect_still()
    opened.expect_calm()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(scheme: str, opened: Opened) -> None:
    opened.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    opened.page.evaluate("document.querySelectorAll('details').forEach((details) => (details.open = true))")
    opened.expect_accessible()
    opened.page.evaluate("document.querySelectorAll('details').forEach((details) => (details.open = false))")
    opened.page.emulate_media(color_scheme="light")


@pytest.mark.parametrize("width", [360, 1600, 2400])
def test_no_window_scrolls_sideways(width: int, opened: Opened) -> None:
    opened.page.set_viewport_size({"width": width, "height": 900})
    assert opened.page.evaluate("document.documentElement.scrollWidth") == width
    opened.page.set_viewport_size({"width": 1280, "height": 900})


def test_the_panel_that_is_read_is_marked_and_in_sight(opened: Opened) -> None:
    page = opened.page
    page.set_viewport_size({"width": 360, "height": 700})
    last = page.locator("#contents a").last
    name = (last.get_attribute("href") or "").removeprefix("#")
    page.evaluate("name => document.getElementById(name).scrollIntoView({ behavior: 'instant' })", name)
    page.wait_for_function("() => document.querySelector('#contents [aria-current]').matches('li:last-child *')")
    box = last.bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 360
    assert box["y"] < 50
    heading = page.locator(f"#{name} h2").bounding_box()
    assert heading is not None
    assert heading["y"] > 46
    page.set_viewport_size({"width": 1280, "height": 900})
    page.evaluate("scrollTo({ top: 0, behavior: 'instant' })")


def test_the_keyboard_goes_from_the_top_down(open_report: Open, written: Path) -> None:
    page = open_report(written).page
    page.keyboard.press("Tab")
    skip = page.locator(".skip")
    assert skip.evaluate("link => link === document.activeElement")
    assert (skip.bounding_box() or {"x": -1})["x"] >= 0
    links = page.locator("#contents a").count()
    seen = []
    for _ in range(links + 3):
        page.keyboard.press("Tab")
        seen.append(
            page.evaluate("[document.activeElement.tagName, document.activeElement.closest('section')?.id ?? '']")
        )
    assert seen[:links] == [["A", ""]] * links
    assert {panel for _, panel in seen[links:]} == {"verdict"}
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    assert page.locator("[tabindex]").evaluate_all("all => all.every(({ tabIndex }) => tabIndex <= 0)")


def test_what_scrolls_sideways_is_reached_by_keyboard(open_report: Open, written: Path) -> None:
    opened = open_report(written, width=360)
    boxes = opened.page.locator(".scroll")
    wide = "box => [box.scrollWidth > box.clientWidth + 1, box.tabIndex === 0]"
    opened.page.wait_for_function("() => document.querySelector('#verdict .scroll').tabIndex === 0")
    found = [box.evaluate(wide) for box in boxes.all() if box.is_visible()]
    assert found
    assert all(wider == stop for wider, stop in found)


def test_on_paper_all_is_open_and_every_chart_is_drawn(open_report: Open, written: Path, tmp_path: Path) -> None:
    opened = open_report(written, color_scheme="dark")
    page = opened.page
    page.evaluate(
        """() => addEventListener("beforeprint", () => {
            const charts = [...document.querySelectorAll(".chart")];
            window.paper = {
                closed: document.querySelectorAll("details:not([open])").length,
                drawn: charts.map((chart) => Boolean(chart.querySelector(".cartesianlayer .trace"))),
                widths: charts.map((chart) => chart._fullLayout?.width),
                ink: charts.map((chart) => chart._fullLayout?.font.color),
            };
        })"""
    )
    page.pdf(path=tmp_path / "report.pdf", prefer_css_page_size=True)
    paper = page.evaluate("window.paper")
    charts = page.locator(".chart").count()
    # A4 less its margins is 703 pixels wide.
    assert paper == {
        "closed": 0,
        "drawn": [True] * charts,
        "widths": [700] * charts,
        "ink": [LIGHT["ink"]] * charts,
    }
    assert page.locator("details[open]").count() == 0
    page.wait_for_function("() => document.getElementById('chart-tradeoff')._fullLayout.width > 700")
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 703, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") == 703
    for name in ("#contents", "#tradeoff-controls", "#save-csv", "button.copy"):
        assert not page.locator(name).first.is_visible()
    opened.expect_calm()


def test_operators_runs_and_errors_of_any_name_stay_text(
    open_report: Open,
    make_run: Callable[..., Path],
    make_records: Callable[..., list[dict[str, Any]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(OPERATORS._entries, EVIL, Sum)
    records = make_records()
    for row in records:
        architecture = row["architecture"].replace('"op":"sum"', f'"op":{json.dumps(EVIL)}')
        row.update(architecture=architecture, id=Architecture.from_json(architecture).id, reason=EVIL)
    opened = open_report(reports.write_html(make_run(records, name="<b>&'x")), width=1600)
    opened.read_through()
    page = opened.page
    page.evaluate("document.querySelectorAll('details').forEach((details) => (details.open = true))")
    other = next(
        e for e in opened.client()["entries"] if EVIL in e["description"] and e["id"] != opened.client()["first"]
    )
    page.evaluate("id => report.select(id)", other["id"])
    assert EVIL in (page.locator("#architecture-words").text_content() or "")
    assert EVIL in page.locator("#architecture .node .op").all_text_contents()
    assert EVIL in (page.locator("#ranking").text_content() or "")
    assert page.locator("h1").text_content() == "<b>&'x"
    assert page.locator("main img, main b b").count() == 0
    opened.expect_calm()
