"""The budgets in a real browser: sliders, numbers, the address, and every panel that follows them."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import reports
from reports.fronts.dominance import non_dominated
from reports.measures import MEASURES, Measure, declare

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
        "report.data.entries.map(({id, state, rank, kind, values}) => ({id, state, rank, kind, values}))"
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
        expected = None if at is None else steps[at]
        page.wait_for_function(
            "bound => (report.budgets.get('params')?.bound ?? null) === bound && report.budgets.size < 2", arg=expected
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
    visit(opened, address[address.index("#") :])
    assert bounds(page) == {"params": 30000}
    assert page.locator("#ranking-title").bounding_box()["y"] < 300


ADDRESSES: list[tuple[str, dict[str, float], str]] = [
    ("#budget:params<=30000&flops<=1.2e6&accuracy>=0.9", {"params": 30000, "flops": 1.2e6, "accuracy": 0.9}, ""),
    ("#budget:params=20000&params=30000", {"params": 30000}, ""),
    ("#budget:accuracy<=0.9", {}, "accuracy<=0.9"),
    ("#budget:params=NaN&flops=Infinity&latency=&accuracy=0x", {}, "params=NaN, flops=Infinity, latency=, accuracy=0x"),
    ("#budget:__proto__=1&constructor=2&toString>=3", {}, "__proto__=1, constructor=2, toString>=3"),
    ("#budget:%E0%A4%A=1&&&=&x", {}, "%E0%A4%A=1, =, x"),
    ("#budget:<img src=x onerror=alert(1)>=1", {}, "<img src=x onerror=alert(1)>=1"),
    ("#nowhere:params=30000", {"params": 30000}, ""),
    ("#budget:params=1e999&" + "x" * 500, {}, "params=1e999, " + "x" * 60),
]


def test_an_address_may_say_anything(opened: Opened) -> None:
    page = opened.page
    for fragment, expected, left_out in ADDRESSES:
        # The last one does so when the page is opened, all others while it is.
        if fragment == ADDRESSES[-1][0]:
            visit(opened, fragment)
        page.evaluate("fragment => void (location.hash = fragment)", fragment)
        note = page.locator("#left-out")
        page.wait_for_function(
            "text => document.getElementById('left-out').textContent.startsWith(text)",
            arg=f"Not taken from the address: {left_out}.",
        )
        assert note.is_visible() == bool(left_out), fragment
        assert bounds(page) == expected, fragment
    assert page.locator("img").count() == 0
    opened.expect_calm()


FITTING = {"flops": 860000, "accuracy": 0.96}
AT_FITTING = "#budget:flops=860000&accuracy=0.96"


def within(entry: dict[str, Any]) -> bool:
    values = entry["values"]
    return values["flops"] <= FITTING["flops"] and values["accuracy"] is not None and values["accuracy"] >= 0.96


def front_of(entries: list[dict[str, Any]], x: str = "params") -> set[str]:
    losses = [[entry["values"][x], -entry["values"]["accuracy"]] for entry in entries]
    return {entry["id"] for entry, inside in zip(entries, non_dominated(losses), strict=True) if inside}


def test_every_panel_follows(opened: Opened) -> None:
    visit(opened, AT_FITTING)
    page = opened.page
    entries = entries_of(page)
    complete = [entry for entry in entries if entry["rank"] is not None]
    fitting = [entry for entry in complete if within(entry)]
    everywhere, here = front_of(complete), front_of(fitting)
    # Limits on what is no objective change who is on the front, too.
    assert 3 <= len(fitting) < len(complete)
    assert here - everywhere

    assert opened.ids() == [entry["id"] for entry in fitting]
    marked = page.locator("#ranking-table tr:has(.tag.front)").evaluate_all("rows => rows.map(r => r.dataset.id)")
    assert set(marked) == here
    assert page.locator("#ranking-table tr.front").count() == len(here)
    unranked = [entry for entry in entries if entry["rank"] is None and within(entry)]
    assert page.locator("#unranked-count").inner_text() == str(len(unranked))
    assert page.locator("#unranked-rows tr").count() == len(unranked)

    assert page.locator("#front-rows button.pick").all_text_contents() == [
        entry["id"] for entry in sorted(fitting, key=lambda one: one["values"]["params"]) if entry["id"] in here
    ]
    opened.wait_for_charts()
    traces = page.evaluate(
        """() => Object.fromEntries(document.getElementById("chart-tradeoff")._fullData.map(trace =>
            [trace.meta, (trace.customdata ?? []).map(place => report.data.entries[place]?.id)]))"""
    )
    assert set(traces["search"]) == {entry["id"] for entry in fitting if entry["kind"] == "search"}
    assert set(traces["outside"]) == {entry["id"] for entry in entries if not within(entry)}
    lines = page.evaluate("document.getElementById('chart-tradeoff').layout.shapes.map(({ y0 }) => y0)")
    assert lines == [0.96]

    select = page.locator("#architecture-select option")
    shown = {*(entry["id"] for entry in fitting), *(entry["id"] for entry in unranked)}
    selected = page.locator("#architecture-id").inner_text()
    page.wait_for_function("count => document.querySelectorAll('#architecture-select option').length === count",
                           arg=len(shown | {selected}))  # fmt: skip
    assert set(select.evaluate_all("options => options.map(option => option.value)")) == shown | {selected}

    page.locator("#chart-learning").scroll_into_view_if_needed()
    page.wait_for_selector("#chart-learning .scatterlayer .js-line")
    curves = page.evaluate(
        """() => document.getElementById("chart-learning").data.filter(({ meta }) => ["top", "others"].includes(meta))
            .flatMap(({ customdata }) => [...new Set(customdata.filter(place => place !== null))])
            .map(place => report.data.entries[place].id)"""
    )
    assert set(curves) == {entry["id"] for entry in fitting}
    by_quality = sorted(fitting, key=lambda entry: -entry["values"]["accuracy"])
    page.locator("summary", has_text="as a table").last.scroll_into_view_if_needed()
    leading = page.locator("#leading-rows button.pick").all_text_contents()
    assert leading == [entry["id"] for entry in by_quality[:10]]

    for panel in ("verdict", "progress", "ranking", "learning"):
        assert page.locator(f"#{panel} .from-all").first.is_visible(), panel
    page.locator("#budget-bar").get_by_role("button", name="Reset").click()
    assert opened.ids() == [entry["id"] for entry in complete[:25]]
    assert page.locator(".from-all:visible").count() == page.locator(".tag.front").count() == 0
    assert not page.locator("#budget-bar").is_visible()
    opened.expect_calm()


def test_downloads_hold_what_is_shown_and_say_so(opened: Opened, tmp_path: Path) -> None:
    visit(opened, AT_FITTING)
    page = opened.page
    entries = entries_of(page)
    fitting = [entry["id"] for entry in entries if within(entry)]

    def saved(kind: str) -> tuple[str, list[dict[str, Any]]]:
        with page.expect_download() as download:
            page.locator(f"#save-{kind}").click()
        download.value.save_as(tmp_path / kind)
        text = (tmp_path / kind).read_text(encoding="utf-8")
        rows = json.loads(text) if kind == "json" else list(csv.DictReader(text.splitlines()))
        return download.value.suggested_filename, rows

    for kind in ("csv", "json"):
        name, rows = saved(kind)
        assert name == f"demo-ranking-within-budgets.{kind}"
        assert [row["id"] for row in rows] == fitting
        assert {row["budgets"] for row in rows} == {"flops<=860000 accuracy>=0.96"}
    page.locator("#save-all").check()
    name, rows = saved("json")
    assert name == "demo-ranking.json"
    assert [row["id"] for row in rows] == [entry["id"] for entry in entries]
    assert [row["id"] for row in rows if row["within_budgets"]] == fitting
    # Lifted budgets leave no trace, whatever was ticked.
    page.locator("[data-lift-all]").first.click()
    name, rows = saved("json")
    assert (name, len(rows)) == ("demo-ranking.json", len(entries))
    assert "within_budgets" not in rows[0]
    opened.expect_calm()


def test_where_nothing_fits_the_page_says_what_would(opened: Opened) -> None:
    visit(opened, "#budget:params=50000&accuracy=0.9999")
    page = opened.page
    count = page.locator("#budget-count").inner_text()
    alone = [one for one in entries_of(page) if one["rank"] is not None and one["values"]["params"] <= 50000]
    assert f"0 of {len(entries_of(page))} candidates fit" in count
    assert f"Without the limit on accuracy {len(alone)} would fit." in count
    assert "Without the limit on parameters" not in count
    none = page.locator("#ranking-none")
    assert none.is_visible()
    none.get_by_role("button").click()
    assert not none.is_visible()
    assert len(opened.ids()) > 10
    opened.expect_calm()


def test_what_is_unknown_does_not_fit(opened: Opened) -> None:
    page = opened.page
    number(page, "latency").fill("9 ms")
    number(page, "latency").press("Enter")
    entries = entries_of(page)
    unknown = [entry for entry in entries if entry["values"]["latency"] is None]
    text = page.locator("#budget-count").inner_text()
    assert text.startswith(f"{len(entries) - len(unknown)} of {len(entries)} candidates fit")
    assert text.endswith(f"{len(unknown)} without a value of latency count as outside.")
    page.evaluate("id => report.select(id)", unknown[0]["id"])
    assert page.locator("#architecture-outside").text_content() == "Outside the budgets: latency unknown."
    opened.expect_calm()


EVIL = "a=b&c:<img src=x onerror=\"document.title='broken'\">\u2028"


def test_a_narrow_touch_screen_and_a_measure_of_any_name(
    open_report: Open, make_run: Callable[..., Path], make_records: MakeRecords, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MEASURES, "_entries", dict(MEASURES._entries))
    described = {
        "name": EVIL, "label": EVIL * 3, "direction": "minimize", "style": "number", "column": "evil_cost",
        "quality": False, "exact": False, "note": EVIL,
    }  # fmt: skip
    declare(Measure(**described))
    records = [row | {"evil_cost": 0.1 * row["number"]} for row in make_records()]
    run = make_run(records, objectives=("accuracy", EVIL), resolved={"measures": [described]}, name="<b>&'x")
    opened = open_report(reports.write_html(run), width=360, has_touch=True)
    page = opened.page
    row = page.locator(".budget").filter(has_text="img src")
    row.scroll_into_view_if_needed()
    box = row.locator('input[type="range"]').bounding_box()
    assert box is not None
    page.touchscreen.tap(box["x"] + box["width"] / 3, box["y"] + box["height"] / 2)
    page.wait_for_function("() => report.budgeted")
    bound = bounds(page)[EVIL]
    assert 0 < bound < 4
    page.wait_for_function("() => location.hash.length > 10")
    fragment = page.evaluate("location.hash")
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert box["height"] >= 32
    visit(opened, fragment)
    assert bounds(page) == {EVIL: bound}
    assert not page.locator("#left-out").is_visible()
    page.locator("#ranking").scroll_into_view_if_needed()
    page.locator("#budget-bar").wait_for(state="visible")
    bar = page.locator("#budget-bar").bounding_box()
    assert bar is not None
    assert bar["x"] >= 0
    assert bar["x"] + bar["width"] <= 360
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert page.locator("img").count() == 0
    assert "broken" not in page.title()
    opened.expect_calm()
