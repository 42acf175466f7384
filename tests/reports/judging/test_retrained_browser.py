"""The verdict on retrained networks in a real browser: narrow and wide, light and dark, with and without scripts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

import reports
from reports.drawing.palette import DARK, LIGHT
from reports.retrained.arm import Arm

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from playwright.sync_api import Browser, Locator

from tests.reports.opened import Open

pytestmark = pytest.mark.browser


@pytest.fixture
def report(retrained_run: Callable[..., Path], study: Callable[..., Sequence[Arm]]) -> Path:
    return reports.write_html(retrained_run([*study(0.02, 0.01, 0.005), *study(-0.01, 0.01, recipe="long")]))


def within(inner: Locator, outer: Locator) -> bool:
    mark, line = inner.bounding_box(), outer.bounding_box()
    assert mark is not None
    assert line is not None
    return bool(line["x"] - 1 <= mark["x"] and mark["x"] + mark["width"] <= line["x"] + line["width"] + 1)


@pytest.mark.parametrize(("width", "scheme"), [(400, "dark"), (2000, "light")])
def test_intervals_fit_any_window(width: int, scheme: str, browser: Browser, report: Path) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900}, offline=True, java_script_enabled=False)
    page = context.new_page()
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.goto(report.as_uri())
    assert page.locator("#verdict .headline").inner_text() == "It depends on the recipe."
    rows = page.locator(".forest .forest-row:not(.forest-axis)")
    assert rows.count() == 4 + 2
    for row in rows.all():
        assert within(row.locator(".mark"), row.locator("svg.intervals"))
        assert within(row.locator(".forest-label"), row)
    color = rows.first.locator(".range").evaluate("line => getComputedStyle(line).stroke")
    expected = (DARK if scheme == "dark" else LIGHT)["front"]
    assert color == f"rgb({', '.join(str(int(expected[at : at + 2], 16)) for at in (1, 3, 5))})"
    page.set_viewport_size({"width": width, "height": 900})
    assert page.locator("#verdict").evaluate("panel => panel.getBoundingClientRect().right") <= width
    context.close()


def test_bars_follow_the_axis_of_the_quality(browser: Browser, report: Path) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, offline=True)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(report.as_uri())
    page.locator("#chart-tradeoff").scroll_into_view_if_needed()
    page.wait_for_selector("#chart-tradeoff .scatterlayer .js-line")
    bars = """axis => document.getElementById("chart-tradeoff")._fullData
        .find(trace => trace.meta === "retrained")[`error_${axis}`].visible"""
    assert (page.evaluate(bars, "x"), page.evaluate(bars, "y")) == (False, True)
    page.locator("#axis-x").select_option("accuracy")
    page.locator("#axis-y").select_option("flops")
    page.wait_for_function(f"() => ({bars})('x')")
    assert page.evaluate(bars, "y") is False
    assert errors == []
    context.close()


def test_axe_finds_nothing_in_light_and_dark_and_nothing_moves(open_report: Open, report: Path) -> None:
    opened = open_report(report)
    opened.read_through()
    opened.expect_still()
    opened.page.evaluate("document.querySelectorAll('details').forEach((details) => (details.open = true))")
    opened.expect_accessible()
    opened.page.emulate_media(color_scheme="dark")
    opened.expect_accessible()
    opened.expect_calm()
