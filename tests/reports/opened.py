"""A report in a real browser, for the tests of its panels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

__all__ = ["MOVED", "Open", "Opened"]

AXE = Path(__file__).parents[1] / "node" / "node_modules" / "axe-core" / "axe.min.js"
# Keeps what the browser says has moved, apart from what a person moved.
MOVED = """
window.moved = [];
new PerformanceObserver((list) => {
    for (const { value, sources, hadRecentInput } of list.getEntries()) {
        if (!hadRecentInput) moved.push([value, ...sources.map(({ node }) => node?.outerHTML?.slice(0, 80))]);
    }
}).observe({ type: "layout-shift", buffered: true });
"""


@dataclass
class Opened:
    """A report in a browser, and what went wrong or left the page."""

    page: Page
    path: Path
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def expect_calm(self) -> None:
        assert self.errors == []
        assert [address for address in self.requests if not address.startswith("blob:")] == [self.path.as_uri()]

    def expect_still(self) -> None:
        """Expect that nothing on the page has moved by itself since it began to load."""
        assert self.page.evaluate("window.moved") == []

    def expect_accessible(self) -> None:
        """Expect that axe-core finds nothing: contrasts, names, roles, the order of headings, the keyboard."""
        if not AXE.is_file():
            pytest.skip(f"no {AXE}; run `make node`, which needs npm")
        self.page.evaluate(AXE.read_text(encoding="utf-8"))
        found = self.page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
        broken = [
            (rule["id"], node["target"], node["failureSummary"])
            for rule in found["violations"]
            for node in rule["nodes"]
        ]
        assert not broken, "\n".join(map(str, broken))

    def read_through(self) -> None:
        """Scroll from top to bottom, until every chart is drawn."""
        for place in range(0, self.page.evaluate("document.documentElement.scrollHeight"), 700):
            self.page.evaluate(f"scrollTo(0, {place})")
            self.page.wait_for_timeout(30)
        self.page.wait_for_function("() => document.querySelectorAll('.chart:not(.js-plotly-plot)').length === 0")

    def expect_fit(self, width: int) -> None:
        assert self.page.evaluate("document.documentElement.scrollWidth") == width
        chart = self.page.locator("#chart-tradeoff").bounding_box()
        assert chart is not None
        assert 0.45 * width < chart["width"] < width

    def ids(self) -> list[str]:
        return self.page.locator("#ranking-table tbody tr").evaluate_all("rows => rows.map(row => row.dataset.id)")

    def client(self) -> dict[str, Any]:
        """Return what the page's script knows, candidates with all texts that it makes."""
        made = ("description", "shown", "exact", "hover", "command")
        known: dict[str, Any] = self.page.evaluate(
            """made => ({
                ...report.data,
                entries: report.data.entries.map((entry) => ({
                    ...entry, ...Object.fromEntries(made.map((name) => [name, entry[name]])),
                })),
            })""",
            made,
        )
        return known

    def first_paint(self) -> float:
        """Return when the page showed anything, in milliseconds."""
        return float(self.page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime"))

    def reloaded(self) -> Opened:
        """Load the page once more: a busy machine may have delayed it."""
        self.requests.clear()
        self.page.reload()
        return self

    def wait_for_charts(self) -> None:
        self.page.locator("#chart-tradeoff").scroll_into_view_if_needed()
        self.page.wait_for_selector("#chart-tradeoff .scatterlayer .js-line")

    def click_mark(self, candidate: str) -> None:
        """Click the mark of a candidate in the trade-off chart, where Plotly has drawn it."""
        self.page.locator("#chart-tradeoff").scroll_into_view_if_needed()
        where = self.page.evaluate(
            """id => {
                const element = document.getElementById("chart-tradeoff");
                const place = report.data.entries.findIndex(entry => entry.id === id);
                for (const trace of element._fullData) {
                    const index = (trace.customdata ?? []).indexOf(place);
                    if (index < 0) continue;
                    const { xaxis, yaxis } = element._fullLayout;
                    const box = element.getBoundingClientRect();
                    return [
                        box.left + xaxis._offset + xaxis.l2p(trace.x[index]),
                        box.top + yaxis._offset + yaxis.l2p(trace.y[index]),
                    ];
                }
            }""",
            candidate,
        )
        # Plotly takes a click for one on the mark that it has found below the pointer, some time after that has moved.
        for step in range(100):
            self.page.mouse.move(where[0] - step % 2, where[1])
            if self.page.evaluate("() => document.getElementById('chart-tradeoff')._hoverdata?.length > 0"):
                break
            self.page.wait_for_timeout(100)
        self.page.mouse.click(*where)


Open = Callable[..., Opened]
