"""Two candidates beside each other, in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import reports
from reports.retrained.arm import Arm
from reports.retrained.pairs import retrained_networks
from reports.run.catalog import make_catalog
from reports.run.run import load_run

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from playwright.sync_api import Page

from tests.reports.opened import Open

pytestmark = pytest.mark.browser

MakeRecords = Callable[..., list[dict[str, Any]]]


def cells(page: Page, body: str) -> list[list[str]]:
    found: list[list[str]] = page.locator(f"#two-{body} tr").evaluate_all(
        "rows => rows.map(row => [...row.cells].map(cell => cell.textContent.trim()))"
    )
    return found


def pair_of(page: Page) -> tuple[str, str]:
    return page.locator("#two-a").input_value(), page.locator("#two-b").input_value()


def test_any_two_of_many_are_compared(
    open_report: Open, make_run: Callable[..., Path], make_records: MakeRecords
) -> None:
    records = make_records(120)
    for row in records[:40]:
        # What is measured with a spread can be told apart only beyond it.
        row |= {"latency_ms": 2 + 0.001 * row["number"], "latency_iqr_ms": 0.002}
    run = load_run(make_run(records))
    catalog = make_catalog(run)
    by_id = {entry.id: entry for entry in catalog.entries}
    opened = open_report(reports.write_html(run.path))
    page = opened.page
    first = pair_of(page)
    page.locator("#two").scroll_into_view_if_needed()
    page.wait_for_function("count => document.querySelectorAll('#two-a option').length === count", arg=len(by_id))

    one, other = next(
        (a, b) for a in catalog.ranked for b in catalog.ranked if 1 < a.number < 30 and b.number == a.number + 1
    )
    for name, entry in (("a", one), ("b", other)):
        page.locator(f"#two-{name}").select_option(entry.id)
    differing = [point for point in catalog.points if one.architecture[point] != other.architecture[point]]
    assert page.locator("#two-points-said").inner_text() == (
        f"They differ at {len(differing)} of {len(catalog.points)} fusion points."
    )
    rows = cells(page, "points")
    assert [row[:3] for row in rows] == [
        [point, str(one.architecture[point]), str(other.architecture[point])] for point in differing
    ]
    for row, point in zip(rows, differing, strict=True):
        costs = [catalog.network(entry).costs[point, entry.architecture[point]] for entry in (one, other)]
        params = next(measure for measure in catalog.measures if measure.name == "params")
        assert row[3:5] == [params.format(cost.params) for cost in costs]
        difference = costs[0].params - costs[1].params
        sign = "−" if difference < 0 else "+" if difference else ""
        assert row[5] == f"{sign}{params.format(abs(difference))}"

    measured = {row[0]: row[1:] for row in cells(page, "measures")}
    gain = 100 * (one.values["accuracy"] - other.values["accuracy"])
    accuracy = measured["accuracy, validation"]
    assert accuracy[:2] == [f"{100 * entry.values['accuracy']:.2f} %" for entry in (one, other)]
    assert accuracy[2] == f"{'+' if gain > 0 else '−'}{abs(gain):.2f} points"
    assert accuracy[4:] == ["▲ better" if gain > 0 else "▼ worse", "one seed each: no interval"]
    ratio = one.values["flops"] / other.values["flops"]
    assert float(measured["FLOPs"][3].removesuffix(" ×")) == pytest.approx(ratio, rel=0.005)
    assert measured["FLOPs"][4] == ("▲ better" if ratio < 1 else "▼ worse")
    assert measured["latency"][4:] == ["≈ not told apart", "interquartile ranges 0.002 ms and 0.002 ms overlap"]

    # The address keeps the pair; a link to a panel leaves it; one step back undoes it.
    page.wait_for_function("hash => location.hash === hash", arg=f"#two:two={one.id},{other.id}")
    page.locator("#two-swap").click()
    page.wait_for_function("hash => location.hash === hash", arg=f"#two:two={other.id},{one.id}")
    page.go_back()
    page.wait_for_function("id => document.getElementById('two-a').value === id", arg=one.id)
    assert pair_of(page) == (one.id, other.id)
    for bad in (f"#two:two={one.id}", "#two:two=__proto__,constructor", "#two:two=a,b,c&two=<img src=x>"):
        page.evaluate("hash => void (location.hash = hash)", bad)
        told = "text => document.getElementById('left-out').textContent.includes(text)"
        page.wait_for_function(told, arg=bad.partition(":")[2].partition("&")[0])
        assert pair_of(page) == first
    stopped = next(entry for entry in catalog.unranked if entry.state == "pruned")
    page.evaluate("id => report.select(id)", stopped.id)
    page.locator("#selection").get_by_role("button", name="compare").click()
    assert pair_of(page) == (stopped.id, first[1])
    assert page.evaluate("document.activeElement.id") == "two-a"
    assert "was not trained to the end" in cells(page, "measures")[0][6]
    page.evaluate("report.budget('params', value => value < 0)")
    assert page.locator("#two-names").inner_text().count("outside the budgets") == 2
    # A list outside the window is made anew only when it comes near.
    page.locator("#two-a").scroll_into_view_if_needed()
    page.wait_for_function("() => document.querySelectorAll('#two-a option').length === 1")
    opened.expect_calm()


@pytest.fixture
def retrained(retrained_run: Callable[..., Path], arm: Callable[..., Arm]) -> Path:
    made = [
        arm("sum", "original", 0.88),
        arm("aff", "uniform:aff", 0.9),
        arm("iaff", "uniform:iaff", 0.9001),
        arm("sum sum iaff", "finalist", 0.9, seeds=1),
    ]
    return retrained_run(made)


def test_retrained_networks_have_intervals_that_turn_with_the_pair(retrained: Path, open_report: Open) -> None:
    run = load_run(retrained)
    found = retrained_networks(run, make_catalog(run))
    opened = open_report(reports.write_html(retrained), width=360, color_scheme="dark")
    page = opened.page
    page.locator("#two").scroll_into_view_if_needed()
    ids = [network.id for network in found.networks]

    def shown(one: str, other: str) -> list[str]:
        page.wait_for_function("() => document.querySelectorAll('#two-a option').length === 5")
        page.locator("#two-a").select_option(one)
        page.locator("#two-b").select_option(other)
        (row,) = (row for row in cells(page, "measures") if row[0] == "accuracy, test, retrained")
        return row

    pair = found.pairs[0]
    worse, better = shown(ids[0], ids[1]), shown(ids[1], ids[0])
    assert worse[1:4] == ["88.00 %", "90.00 %", "−2.00 points"]
    assert better[1:4] == ["90.00 %", "88.00 %", "+2.00 points"]
    assert (worse[5], better[5]) == ("▼ worse", "▲ better")
    seeds = "5 and 5 seeds, 1,000 test images"
    low, high = (f"{100 * abs(end):.2f}" for end in (pair.low, pair.high))
    assert worse[6] == f"95 % interval −{low} to −{high} points; {seeds}"
    assert better[6] == f"95 % interval +{high} to +{low} points; {seeds}"
    assert shown(ids[2], ids[1])[5] == "= the same within the margin"
    assert "no interval" in shown(ids[3], ids[1])[6]
    assert page.locator("#two-note").inner_text().startswith("An interval is of the difference that new seeds")
    plain = next(entry.id for entry in make_catalog(run).entries if entry.id not in ids)
    page.locator("#two-a").select_option(plain)
    assert page.locator("#two-note").inner_text().startswith("Only B was retrained")
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    opened.expect_calm()


def test_a_candidate_beside_itself_and_names_that_are_html(
    open_report: Open, make_run: Callable[..., Path], make_records: MakeRecords
) -> None:
    opened = open_report(reports.write_html(make_run(make_records(8))), width=1600)
    page = opened.page
    evil = "</td><img src=x onerror=\"document.title='broken'\">"
    page.evaluate(
        """evil => {
            report.data.points[0] = evil;
            report.data.choices.forEach(choice => { choice.text = choice.text + ""; });
            for (const entry of report.data.entries) { entry.description = evil; entry.state = evil; }
        }""",
        evil,
    )
    page.locator("#two").scroll_into_view_if_needed()
    page.wait_for_function("() => document.querySelectorAll('#two-a option').length > 2")
    page.locator("#two-swap").click()
    assert evil in page.locator("#two-points th").first.inner_text()
    assert evil in page.locator("#two-names").inner_text()
    page.locator("#two-a").select_option(page.locator("#two-b").input_value())
    assert page.locator("#two-points-said").inner_text() == "Choose two different candidates."
    assert not page.locator("#two-points-scroll").is_visible()
    assert {row[5] for row in cells(page, "measures")} == {"= equal"}
    assert page.locator("img").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") == 1600
    opened.expect_calm()
