"""A report of candidates that differ in their resamplers, in a browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import spaces
from reports import effects, importance, write_html
from reports.candidates.table import frame
from reports.marginal.decisions import decisions, resampled_point
from reports.phrases import describe
from spaces import Architecture, SearchSpace
from tests.reports.conftest import record

if TYPE_CHECKING:
    from tests.reports.opened import Open, Opened

pytestmark = pytest.mark.browser

ALL = ("bilinear", "nearest", "carafe", "dysample")
GAIN = {"carafe": 0.2, "dysample": 0.1}


@pytest.fixture(scope="module")
def pyramid() -> SearchSpace:
    settings = {"width": 4, "levels": 3, "stem_stride": 1, "num_classes": 3, "in_channels": 1, "input_size": (16, 16)}
    return spaces.create("fpn", **settings, points="both", ops=("sum", "aff"), reductions=(2,), resamplers=ALL)


def records(space: SearchSpace, count: int = 40) -> list[dict[str, Any]]:
    """Candidates whose quality depends on the resampler of `merge1`."""
    rng = np.random.default_rng(0)
    rows = []
    for number in range(count):
        architecture = space.sample(rng)
        quality = 0.5 + GAIN.get(architecture["merge1"].resampler, 0.0) + float(rng.normal(0, 0.005))
        rows.append(record(number, architecture, space, rng, accuracy=quality, curve=[quality] * 8))
    return rows


def test_effects_have_lines_of_resamplers(pyramid: SearchSpace) -> None:
    table = frame(records(pyramid), ("accuracy", "params"))
    found = effects(table).set_index(["point", "operator"])
    own = found.loc["merge1 resampler"]
    assert set(own.index) == set(ALL)
    assert own["effect"].idxmax() == "carafe"
    assert own.loc["carafe", "evidence"]
    assert own.loc["carafe", "effect"] == pytest.approx(0.2 - 0.3 / 4, abs=0.02)
    assert set(found.loc["merge1"].index) == {"sum", "aff"}
    shares = importance(table).set_index("point")["importance"]
    assert shares.idxmax() == "merge1 resampler"
    assert shares["merge1 resampler"] > 0.9


def test_decisions_name_resamplers_only_where_they_differ(pyramid: SearchSpace) -> None:
    one, other = pyramid.uniform("sum", resampler="carafe"), pyramid.uniform("aff", resampler="carafe")
    assert decisions([one, other])[0] == [point.name for point in pyramid.points]
    mixed = dict(other.choices) | {"merge2": other["merge2"].after("nearest")}
    third = Architecture(other.space, tuple(mixed.items()))
    names, rows = decisions([one, other, third])
    assert names[-1] == "merge2 resampler"
    assert [row[-1] for row in rows] == [("carafe", None), ("carafe", None), ("nearest", None)]
    assert resampled_point("merge2 resampler") == "merge2"
    assert resampled_point("merge2") is None


def test_words_for_architectures(pyramid: SearchSpace) -> None:
    one = pyramid.uniform("aff", resampler="carafe")
    assert describe(one) == "`aff r=2 after carafe` at the 2 deepest points, `aff r=2` elsewhere"
    mixed = dict(one.choices) | {"merge2": one["merge2"].after("nearest")}
    words = describe(Architecture(one.space, tuple(mixed.items())))
    assert words == "`aff` everywhere, with different settings, 1 after `carafe`, 1 after `nearest`"


@pytest.fixture
def opened(pyramid: SearchSpace, make_run: Callable[..., Path], open_report: Open) -> Opened:
    run = make_run(records(pyramid), name="pyramid")
    write_html(run, run / "report.html")
    return open_report(run / "report.html")


def test_the_page_tells_operators_and_resamplers_apart(opened: Opened) -> None:
    page, client = opened.page, opened.client()
    entries = {entry["id"]: entry for entry in client["entries"]}
    opened.read_through()
    for identifier in list(entries)[:6]:
        page.locator("#architecture-select").select_option(identifier)
        chosen = [client["choices"][place] for place in entries[identifier]["chosen"]]
        assert page.locator("#architecture .node .op").all_text_contents() == [one["operator"] for one in chosen]
        drawn = [one["values"].get("resampler", "bilinear") for one in chosen[-2:]]
        assert page.locator("#architecture .node .resampler").all_text_contents() == [f"↑ {one}" for one in drawn]
        cells = page.locator("#point-rows tr").evaluate_all(
            "rows => rows.map(row => [...row.cells].map(c => c.textContent))"
        )
        merges = {row[0]: row for row in cells}
        for name, one in zip(client["points"], chosen, strict=True):
            resampler = one["values"].get("resampler", "bilinear") if name.startswith("merge") else "–"
            assert merges[name][2:5] == [one["values"]["op"], str(one["values"].get("r", "–")), resampler]
    maps = page.locator("#works .map-title").all_text_contents()
    assert "Resampler before it, n candidates each" in maps
    heads = page.locator("#works .map").nth(1).locator("thead th").all_text_contents()
    assert heads == ["fusion point", *sorted(ALL)]
    assert "merge1 resampler" in page.locator("#importance").inner_text()
    assert "↑c carafe" in page.locator(".op-legend").first.inner_text()
    opened.expect_calm()


def test_a_budget_counts_resamplers_anew(opened: Opened) -> None:
    """The table of effects counts the candidates that are within the budget."""
    page, client = opened.page, opened.client()
    limit = int(np.median([entry["values"]["params"] for entry in client["entries"]]))
    field = page.locator('.budget[data-measure="params"] input[type="text"]')
    field.fill(str(limit))
    field.press("Enter")
    page.wait_for_function("() => report.budgets.size === 1")
    point = client["points"].index("merge2")
    within = [entry for entry in client["entries"] if entry["values"]["params"] <= limit]
    chosen = [client["choices"][entry["chosen"][point]]["values"] for entry in within]
    table = page.locator("#works .works-view").first.locator(".works-table")
    assert 0 < len(within) < len(client["entries"])
    for name in ALL:
        row = table.locator(f"tr[data-point='{point}'][data-resampler='{name}'] .n")
        assert row.text_content() == str([one.get("resampler", "bilinear") for one in chosen].count(name))
    for name in ("sum", "aff"):
        row = table.locator(f"tr[data-point='{point}'][data-operator='{name}']:not([data-r]) .n")
        assert row.text_content() == str([one["op"] for one in chosen].count(name))
    opened.expect_calm()
