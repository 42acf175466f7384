"""The page of several runs: whole without scripts, calm and fitting in a browser, whatever runs are called."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import reports
from fusion_ops.errors import ConfigError, SpecError
from reports.runs.side import load_sides
from tests.reports.conftest import config, write_run
from tests.reports.html.test_html import Page

EVIL = "<b>\"b' %{x} {{7*7}} $x$ &amp;<img src=x onerror=\"document.title='broken'\">\u2028" + "unbroken" * 12


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, make_records: Callable[..., list[dict[str, Any]]]) -> list[Path]:
    """Three repeats, and a run with another training, a hostile name and a hostile key."""
    folder, known = tmp_path_factory.mktemp("runs"), config(["accuracy", "params"])
    paths = [
        write_run(folder / f"r{seed}", make_records(24, seed), search=known["search"] | {"seed": seed})
        for seed in range(3)
    ]
    train = known["train"] | {"batch_size": 64, f"key{EVIL}": EVIL}
    dataset = known["resolved"]["dataset"] | {"name": EVIL}
    resolved = known["resolved"] | {"dataset": dataset}
    return [*paths, write_run(folder / EVIL, make_records(24, 3), train=train, resolved=resolved)]


@pytest.fixture(scope="module")
def written(runs: list[Path]) -> Path:
    return reports.write_html(runs, runs[0].parent / "runs.html")


def test_all_is_there_without_scripts(runs: list[Path], written: Path) -> None:
    page = Page(written.read_text(encoding="utf-8"))
    sections = [attributes["id"] for tag, attributes in page.tags if tag == "section"]
    assert sections == ["compared", "fronts", "retrained", "attainment", "volumes", "picks", "configs"]
    for side in load_sides(runs):
        assert side.name in page.text
        for candidate in side.ranked.loc[side.ranked["rank"] == 1, "id"]:
            assert f"{side.letter}:{candidate}" in page.text
    assert "The data sets differ" in page.text
    assert "A, B and C repeat one config" in page.text
    assert EVIL in page.text
    assert not [attributes for tag, attributes in page.tags if tag in ("img", "link", "iframe")]


def test_without_repeats_there_are_no_surfaces(runs: list[Path], tmp_path: Path) -> None:
    path = reports.write_html([runs[0], runs[3]], tmp_path / "new" / "two.html")
    assert "No config is there twice" in path.read_text(encoding="utf-8")
    assert 'id="attainment"' not in path.read_text(encoding="utf-8")


def test_nothing_is_written_where_runs_cannot_be_compared(
    runs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError):
        reports.write_html([runs[0], runs[0]])
    with pytest.raises(SpecError):
        reports.write_html(runs, assets="elsewhere")
    with pytest.raises(ConfigError, match="`objectives` are for a table"):
        reports.write_html(runs, objectives=["accuracy"])
    assert list(tmp_path.iterdir()) == []
    assert reports.write_html(runs[:2], assets="directory") == Path("runs.html")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report-assets", "runs.html"]


@pytest.mark.browser
def test_in_a_browser(written: Path, request: pytest.FixtureRequest) -> None:
    pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    opened = request.getfixturevalue("open_report")(written, width=360, color_scheme="dark")
    page = opened.page
    for name, lines in (("fronts", 4), ("attainment", 3)):
        page.locator(f"#chart-{name}").scroll_into_view_if_needed()
        page.wait_for_selector(f"#chart-{name} .scatterlayer .js-line")
        assert page.locator(f"#chart-{name} .scatterlayer .js-line").count() == lines
        legend = page.locator(f"#chart-{name} .legendtext").all_text_contents()
        if name == "fronts":
            # Nothing of the name was read as a tag or a template.
            assert legend[3].startswith("D · <b>\"b' %{x} {{7*7}} $x$ &amp;<img ")
        else:
            assert legend == ["A, B and C: best", "A, B and C: median", "A, B and C: worst"]
        drawn = f"document.getElementById('chart-{name}')._fullLayout.xaxis.title.text"
        page.locator(f"#{name}-x").select_option("flops")
        page.wait_for_function(f"() => {drawn}.startsWith('FLOPs')")
    for summary in page.locator("summary").all():
        summary.click()
    for width in (360, 1600):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") == width
        box = page.locator("#chart-fronts").bounding_box()
        assert box is not None
        assert 0.45 * width < box["width"] < width
    assert page.locator("img").count() == 0
    assert "broken" not in page.title().partition("<img")[0]
    opened.expect_calm()


@pytest.mark.browser
def test_without_javascript_no_control_is_dead(written: Path, request: pytest.FixtureRequest) -> None:
    pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    page = request.getfixturevalue("open_report")(written, java_script_enabled=False).page
    assert page.locator("#volumes table").is_visible()
    assert page.locator("#configs table").is_visible()
    for name in ("#fronts-x", "#chart-fronts", "#chart-attainment"):
        assert not page.locator(name).is_visible()


@pytest.mark.browser
def test_axe_finds_nothing_and_nothing_moves(written: Path, request: pytest.FixtureRequest) -> None:
    pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    opened = request.getfixturevalue("open_report")(written)
    opened.read_through()
    opened.expect_still()
    opened.page.evaluate("document.querySelectorAll('details').forEach((details) => (details.open = true))")
    for scheme in ("light", "dark"):
        opened.page.emulate_media(color_scheme=scheme)
        opened.expect_accessible()
