"""Failures and provenance in a real browser: read without a script, hostile texts stay text, narrow and wide."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import reports
from reports.run.run import load_run

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from tests.reports.opened import Open

pytestmark = pytest.mark.browser

HOSTILE = "<img src=x onerror=alert(1)></pre><script>x()</script>`{{ 7 * 7 }}`\u202e"


@pytest.fixture
def written(make_run: Callable[..., Path], make_records: Callable[..., list[dict[str, Any]]]) -> Path:
    rows = make_records()
    failed = [row for row in rows if row["state"] == "failed"]
    failed[0] |= {"reason": f"ValueError: {HOSTILE}" + "W" * 3000}
    path = make_run(rows, name="<b>run</b>".replace("/", "_"))
    trace = path / "checkpoints" / failed[0]["id"] / f"failure-{failed[0]['number']}.txt"
    trace.parent.mkdir(parents=True)
    trace.write_text(f"Traceback (most recent call last):\n  {HOSTILE}\nValueError", encoding="utf-8")
    return path


@pytest.mark.parametrize(("width", "script"), [(360, True), (1600, False)])
def test_the_panel_reads(open_report: Open, written: Path, width: int, script: bool) -> None:
    opened = open_report(reports.write_html(written), width=width, java_script_enabled=script)
    panel = opened.page.locator("#provenance")
    groups = panel.locator(".failure-groups > li")
    failed = int((load_run(written).table["state"] == "failed").sum())
    assert groups.count() == 2
    assert f"{failed - 1} ×" in groups.nth(0).inner_text()
    assert panel.locator("img, script").count() == 0
    assert "<img src=x onerror=alert(1)></pre><script>x()</script>`{{ 7 * 7 }}`" in groups.nth(1).inner_text()
    details = groups.nth(1).locator("details")
    details.locator("summary").click()
    assert "<img src=x onerror=alert(1)></pre>" in details.locator("pre").inner_text()
    assert opened.page.evaluate("document.documentElement.scrollWidth") == width
    texts = panel.locator("dd").all_inner_texts()
    assert "Example CPU" in texts
    assert "not recorded" in texts
    config = panel.locator("#provenance-config")
    panel.locator("summary", has_text="The config").click()
    assert "objectives:\n- accuracy" in config.inner_text()
    opened.expect_calm()
