"""The health cards in a real browser: on the first screen, read without a script, hostile names are text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import reports

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from tests.reports.opened import Open

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(("width", "script"), [(360, False), (1600, True)])
def test_cards_say_what_checks_found(open_report: Open, demo_run: Path, width: int, script: bool) -> None:
    opened = open_report(reports.write_html(demo_run), width=width, java_script_enabled=script, reduced_motion="reduce")
    page, checks = opened.page, reports.health(demo_run)
    cards = page.locator("#health .health-card")
    assert cards.count() == len(checks)
    for place, check in enumerate(checks):
        text = cards.nth(place).inner_text().replace("\u00a0", " ")
        assert check.title in text
        assert check.reason.replace("`", "") in text
        assert check.advice.replace("`", "") in text
        assert text.startswith({"fail": "FAIL", "warning": "WARNING", "pass": "PASS", "unknown": "NOT"}[check.status])
    strip = page.locator("#verdict .health-strip a")
    assert strip.count() == len(checks)
    box = strip.first.bounding_box()
    assert box is not None
    assert width < 1000 or box["y"] + box["height"] < 900
    strip.first.click()
    assert page.url.endswith(f"#health-{checks[0].name}")
    assert cards.first.bounding_box()["y"] < 900  # type: ignore[index]
    assert not script or page.evaluate("document.documentElement.scrollWidth") == width
    opened.expect_calm()


def test_hostile_names_stay_text(
    open_report: Open, make_run: Callable[..., Path], make_records: Callable[..., list[dict[str, Any]]]
) -> None:
    name = "<img src=x onerror=alert(1)>`</code><script>x()</script>"
    path = make_run(make_records(), name=name.replace("/", "_"))
    opened = open_report(reports.write_html(path))
    assert opened.page.locator("#health img, #health script").count() == 0
    assert "<img src=x" in opened.page.locator("#health").inner_text()
    opened.expect_calm()
