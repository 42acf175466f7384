"""Numbers that the page writes: as Python does, to the digit."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reports.measures import MEASURES

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

pytestmark = pytest.mark.browser

SCRIPT = Path(__file__).parents[2] / "reports" / "templates" / "formats.js"
STYLES = ("percent", "number", "count", "milliseconds", "bytes")
# Ties, carries to the next power of ten, ends of the prefixes.
EDGES = (0.0, -0.0, 0.5, 1.5, 2.5, 0.125, 0.96125, 0.96375, 2.125, 12345, 123450, 999.95, 999950, 9999.5, 9999.6, 1e-5)


def values() -> list[float]:
    rng = random.Random(0)
    ratios = [place / of for of in (288, 1600) for place in range(of + 1)]
    sizes = [rng.uniform(0, 1) * 10 ** rng.randint(-8, 13) for _ in range(1500)]
    eighths = [rng.randint(0, 10 ** rng.randint(1, 9)) / 8 for _ in range(1000)]
    return [*EDGES, -3.25, 1.25e-5, 9.9995e-5, 1023.6, 1024.0, 99.95, 9.995, 2.0**40, 5, 25, *ratios, *sizes, *eighths]


def test_every_style_is_written_as_in_python(browser: Any) -> None:
    page = browser.new_page()
    page.set_content(f"<script>{SCRIPT.read_text(encoding='utf-8')}</script>")
    known = values()
    for style in STYLES:
        measure = replace(MEASURES["params"], style=style)
        written = page.evaluate(
            "([measure, values]) => values.map((v) => [formats.shown(measure, v), formats.exact(measure, v)])",
            [{"style": style, "unit": measure.unit}, known],
        )
        expected = [[measure.format(value), measure.exactly(value)] for value in known]
        assert [(v, w, e) for v, w, e in zip(known, written, expected, strict=True) if w != e] == []
    assert page.evaluate("formats.shown({ style: 'percent' }, null)") == MEASURES["params"].format(None)
    page.close()
