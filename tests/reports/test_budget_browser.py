"""The budgets in a real browser: sliders, numbers, the address, and every panel that follows them."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import reports
from reports.pareto import non_dominated

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from playwright.sync_api import Locator, Page

from tests.reports.opened import Open, Opened

pytestmark = pytest.mark.browser

MakeRecords = Callable[..., list[dict[str, Any]]]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory, make_records: MakeRecords) -> Path:
    from tests.reports.conftest import write_run

    records = make_records(60)
    for row in records:
        # The stopped ones have no latency.
        row["latency_ms"] = round(1 + row["flops"] % 1000 / 1000, 3) if row["state"] == "complete" else None
    return reports.write_html(write_run(tmp_path_factory.mktemp("budgets") / "demo", records))


@pytest.fixture(scope="module")
def shared(open_report: Open, written: Path) -> Opened:
    return open_report(written)


@pytest.fixture
def opened(shared: Opened) -> Opened:
    """Return the report without a budget, at an address without a state."""
    visit(shared, "")
    return shared


def visit(opened: Opened, fragment: str) -> None:
    """Open the report at an address anew."""
    opened.page.goto("about:blank")
    opened.requests.clear()
    opened.page.goto(opened.path.as_uri() + fragment)


def slider(page: Page, measure: str) -> Locator:
    return page.locator(f'.budget[data-measure="{measure}"] input[type="range"]')


def number(page: Page, measure: str) -> Locator:
    return page.locator(f'.budget[data-measure="{measure}"] input[type="text"]')


def bounds(page: Page) -> dict[str, float]:
    found: dict[str, float] = page.evaluate("Object.fromEntries([...report.budgets].map(([m, b]) => [m, b.bound]))")
    return found


def wait_for(page: Page, fragment: str) -> None:
    page.wait_for_function("fragment => location.hash === fragment", arg=fragment)


def entries_of(page: Page) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = page.evaluate(
        "report.data.entries.map(({id, number, state, rank, kind, values}) => ({id, number, state, rank, kind, values}))"
    )
    return found


def steps_of(entries: list[dict[str, Any]], measure: str) -> list[float]:
    return sorted({entry["values"][measure] for entry in entries if entry["rank"] is not None})


def test_a_slider_obeys_the_keyboard_and_says_where_it_stands(opened: Opened) -> None:
    page, entries = opened.page, entries_of(opened.page)
    steps = steps_of(entries, "params")
    params = slider(page, "params")
    assert params.get_attribute("aria-valuetext") == "no limit"
    params.focus()
    for key, at in (("ArrowLeft", -1), ("ArrowLeft", -2), ("Home", 0), ("ArrowRight", 1), ("End", None)):
        page.keyboard.press(key)
        expected = {} if at is None else {"params": steps[at]}
        page.wait_for_function(
            "wanted => JSON.stringify(Object.fromEntries([...report.budgets].map(([m, b]) => [m, b.bound]))) === wanted",
            arg=json.dumps(expected, separators=(",", ":")).replace(".0}", "}"),
        )
    page.keyboard.press("PageDown")
    page.wait_for_function("() => report.budgeted")
    assert bounds(page)["params"] in steps[:-1]
    shown = page.evaluate("value => formats.shown(report.data.byName.params, value)", bounds(page)["params"])
    assert params.get_attribute("aria-valuetext") == f"at most {shown}"
    assert number(page, "params").input_value() == shown
    fitting = [one for one in entries if one["values"]["params"] <= bounds(page)["params"]]
    count = page.locator("#budget-count")
    assert (count.inner_text()).startswith(f"{len(fitting)} of {len(entries)} candidates fit, of the complete ones ")
    best = max((one for one in fitting if one["rank"]), key=lambda one: one["values"]["accuracy"])
    count.locator("button.pick").click()
    assert page.locator("#architecture-id").inner_text() == best["id"]
    page.get_by_role("button", name="Lift the limit on parameters").click()
    assert bounds(page) == {}
    assert page.evaluate("document.activeElement.type") == "range"
    opened.expect_calm()


@pytest.mark.parametrize(
    ("measure", "text", "bound"),
    [
        ("params", "30 k", 30000), ("params", "24,123", 24123), ("params", "≤ 1.2e4", 12000), ("params", "12,5", 12.5),
        ("accuracy", "97", 0.97), ("accuracy", "0.97", 0.97), ("accuracy", "97.5 %", 0.975), ("latency", "1.5ms", 1.5),
        ("latency", "2 s", 2000), ("flops", ".5M", 500000),
    ],
)  # fmt: skip
def test_a_number_is_understood_as_people_write_it(measure: str, text: str, bound: float, shared: Opened) -> None:
    number(shared.page, measure).fill(text)
    number(shared.page, measure).press("Enter")
    assert bounds(shared.page)[measure] == pytest.approx(bound)
    assert number(shared.page, measure).get_attribute("aria-invalid") is None


def test_what_is_no_number_is_said_and_changes_nothing(opened: Opened) -> None:
    page = opened.page
    field = number(page, "params")
    for text in ("many", "3 ms", "1.2.3", "NaN", "1e999", "<b>1</b>"):
        field.fill(text)
        field.press("Enter")
        assert field.get_attribute("aria-invalid") == "true", text
        problem = page.locator('.budget[data-measure="params"] .budget-problem')
        assert problem.inner_text().startswith("No parameters: write it as ")
        assert bounds(page) == {}
    example = problem.inner_text().removeprefix("No parameters: write it as ").removesuffix(".")
    field.fill(example)
    field.press("Enter")
    assert problem.inner_text() == ""
    assert bounds(page)["params"] > 0
    field.fill("x")
    field.press("Escape")
    assert field.input_value() == example
    opened.expect_calm()


def test_the_address_keeps_the_budgets_and_the_back_button_undoes_them(opened: Opened, open_report: Open) -> None:
    page = opened.page
    number(page, "params").fill("30k")
    number(page, "params").press("Enter")
    wait_for(page, "#budget:params=30000")
    number(page, "accuracy").fill("96")
    number(page, "accuracy").press("Enter")
    wait_for(page, "#budget:params=30000&accuracy=0.96")
    # A link to a panel leaves the budgets as they are, and one step back undoes one change.
    page.locator('nav a[href="#ranking"]').click()
    wait_for(page, "#ranking:params=30000&accuracy=0.96")
    assert bounds(page) == {"params": 30000, "accuracy": 0.96}
    page.go_back()
    wait_for(page, "#budget:params=30000&accuracy=0.96")
    page.go_back()
    wait_for(page, "#budget:params=30000")
    assert bounds(page) == {"params": 30000}
    page.go_back()
    wait_for(page, "")
    assert bounds(page) == {}
    assert number(page, "params").input_value() == ""
    page.go_forward()
    wait_for(page, "#budget:params=30000")
    assert bounds(page) == {"params": 30000}
    address = page.evaluate("report.address('ranking')")
    page.locator("[data-lift-all]").first.click()
    wait_for(page, "#budget")
    opened.expect_calm()
    visit(opened, address[address.index("#"):])
    assert bounds(page) == {"params": 30000}
    assert page.locator("#ranking-title").bounding_box()["y"] < 300


@pytest.mark.parametrize(
    ("fragment", "expected", "left_out"),
    [
        ("#budget:params<=30000&flops<=1.2e6&accuracy>=0.9", {"params": 30000, "flops": 1.2e6, "accuracy": 0.9}, ""),
        ("#budget:params=20000&params=30000", {"params": 30000}, ""),
        ("#budget:accuracy<=0.9", {}, "accuracy<=0.9"),
        ("#budget:params=NaN&flops=Infinity&latency=&accuracy=0x", {}, "params=NaN, flops=Infinity, latency=, accuracy=0x"),
        ("#budget:__proto__=1&constructor=2&toString>=3", {}, "__proto__=1, constructor=2, toString>=3"),
        ("#budget:%E0%A4%A=1&&&=&x", {}, "%E0%A4%A=1, =, x"),
        ("#budget:<img src=x onerror=alert(1)>=1", {}, "<img src=x onerror=alert(1)>=1"),
        ("#nowhere:params=30000", {"params": 30000}, ""),
        ("#budget:params=1e999&" + "x" * 500, {}, "params=1e999, " + "x" * 60),
    ],
)  # fmt: skip
def test_an_address_may_say_anything(
    fragment: str, expected: dict[str, float], left_out: str, shared: Opened
) -> None:
    visit(shared, fragment)
    assert bounds(shared.page) == expected
    note = shared.page.locator("#left-out")
    assert note.is_visible() == bool(left_out)
    if left_out:
        assert note.inner_text().startswith(f"Not taken from the address: {left_out}.")
    assert shared.page.locator("img").count() == 0
    shared.expect_calm()


FITTING = "#budget:flops=700000&latency=1.6"


def fits(entry: dict[str, Any]) -> bool:
    values = entry["values"]
    return values["flops"] <= 700000 and values["latency"] is not None and values["latency"] <= 1.6


def front_of(entries: list[dict[str, Any]]) -> set[str]:
    losses = [[entry["values"]["params"], -entry["values"]["accuracy"]] for entry in entries]
    return {entry["id"] for entry, inside in zip(entries, non_dominated(losses), strict=True) if inside}
