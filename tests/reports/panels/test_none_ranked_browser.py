"""A report in which nothing is ranked, in Chromium: it says why, and draws no axes around nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import reports

pytestmark = pytest.mark.browser

AXES = """() => [...document.querySelectorAll(".js-plotly-plot")].flatMap((chart) =>
    [...chart.querySelectorAll(".xtick text, .ytick text")].map((tick) => [chart.id, tick.textContent]))"""
CASES = {
    "none": ("", "nothing has been trained yet"),
    "failed at once": ("fff", "no candidate is complete"),
    "beyond a quality": ("cccc", "no candidate meets the constraints"),
    "beyond a latency": ("llll", "no candidate meets the constraints"),
    "pruned": ("ppp", "no candidate is complete"),
    "one complete": ("o", ""),
}


def records_of(states: str, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for row, letter in zip(records, states, strict=True):
        row["state"] = {"f": "failed", "p": "pruned"}.get(letter, "complete")
        row["feasible"] = letter not in "cl"
        if letter == "f":
            row |= {"curve": [], "accuracy": None, "loss": None, "seconds": None, "epochs": 0}
        if letter == "p":
            row["curve"] = row["curve"][:2]
        if letter == "l":
            row |= {"latency_ms": 3.0 + row["number"], "reason": f"latency {3 + row['number']} exceeds 2"}
    return records


@pytest.mark.parametrize("case", CASES)
def test_it_says_why_and_draws_nothing_absurd(
    case: str, make_run: Callable[..., Path], make_records: Callable[..., list[dict[str, Any]]], open_report: Any
) -> None:
    states, headline = CASES[case]
    latency = "l" in states
    constraints = {"latency": 2.0} if latency else {"accuracy": 0.999} if "c" in states else {}
    objectives = ("accuracy", "latency") if latency else ("accuracy", "params")
    run = make_run(records_of(states, make_records(len(states))), objectives=objectives, constraints=constraints)
    opened = open_report(reports.write_html(run))
    opened.read_through()
    opened.expect_calm()
    text = opened.page.inner_text("body")
    assert (f"No verdict: {headline}." in text) == bool(headline)
    for wrong in ("NaN", "undefined", "Infinity", "null"):
        assert wrong not in text.replace("null;", "")
    ticks = opened.page.evaluate(AXES)
    assert not [tick for _, tick in ticks if tick.startswith(("−", "-")) or tick in ("200%", "300%", "400%")]
    drawn = {chart for chart, _ in ticks}
    assert ("chart-tradeoff" in drawn) == (states not in ("", "fff"))
    if states in ("", "fff"):
        words = opened.page.locator("#chart-tradeoff .annotation-text").text_content()
        assert words == "Nothing to draw: no candidate has parameters and accuracy."
    if "meets" in headline:
        assert "No candidate is complete." not in text
        rows = opened.page.locator("#ranking table.beyond tbody tr")
        assert rows.count() == len(states)
        assert "chart-learning" in drawn
        assert "No candidate was trained for an epoch yet." not in text
        assert "nearest 4" in opened.page.inner_text("#chart-learning")
    opened.expect_accessible()
