"""A report in a real notebook: executed by nbclient, its output opened in a browser."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import reports
from fusion_ops.errors import SpecError
from search.run.run import Run

ROOT = Path(__file__).parents[3]


def executed(code: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Return what a notebook with one cell puts out."""
    nbformat = pytest.importorskip("nbformat", reason="nbclient is not installed")
    from nbclient import NotebookClient

    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    monkeypatch.setenv("IPYTHONDIR", str(folder / "ipython"))
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    client = NotebookClient(notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(folder)}})
    outputs: list[dict[str, Any]] = client.execute().cells[0].outputs
    return outputs


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.browser
def test_a_notebook_shows_the_report(
    make_run: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    run = make_run()
    outputs = executed("import search\nsearch.Run('demo').show(height=700)", tmp_path, monkeypatch)
    (output,) = [one for one in outputs if one["output_type"] == "execute_result"]
    assert [one for one in outputs if one["output_type"] not in ("execute_result", "stream")] == []
    assert "ShownReport" in output["data"]["text/plain"]
    frame = output["data"]["text/html"]
    assert len(frame) < 6_000_000
    assert (run / "report.html").is_file()

    pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    page_of_notebook = tmp_path / "notebook.html"
    page_of_notebook.write_text(f"<!doctype html><p>a cell</p>{frame}<p>the next one</p>", encoding="utf-8")
    opened = request.getfixturevalue("open_report")(page_of_notebook)
    inside = opened.page.frame_locator("iframe")
    inside.locator("#verdict .headline").wait_for()
    opened.page.wait_for_function("document.querySelector('iframe').getBoundingClientRect().height === 700")
    # A link within the report stays within it.
    inside.locator("nav a[href='#ranking']").click()
    inside.locator("#ranking-table").wait_for()
    assert inside.locator("#ranking").evaluate("element => Math.abs(element.getBoundingClientRect().top) < 200")
    assert inside.locator("html").evaluate("() => location.hash") == "#ranking"
    inside.locator("#chart-tradeoff").scroll_into_view_if_needed()
    inside.locator("#chart-tradeoff .scatterlayer .js-line").first.wait_for()
    assert opened.errors == []
    assert [address for address in opened.requests if not address.startswith(("blob:", "data:"))] == [
        page_of_notebook.as_uri()
    ]


def test_a_table_and_runs_are_shown_too(make_run: Callable[..., Path], make_table: Any, tmp_path: Path) -> None:
    shown = reports.show(make_table(9), tmp_path / "t.html", objectives=["accuracy", "params"], height=10)
    assert 'height="10"' in shown._repr_html_()
    assert 'src="data:text/html;charset=utf-8;base64,' in shown._repr_html_()


@pytest.mark.browser
@pytest.mark.parametrize(
    ("body", "dark"),
    [
        ('data-jp-theme-light="true"', False),
        ('data-jp-theme-light="false"', True),
        ('class="vscode-light"', False),
        ('class="vscode-dark"', True),
        ("", False),
    ],
)
def test_it_is_light_or_dark_as_the_notebook_is(
    demo_run: Path, tmp_path: Path, request: pytest.FixtureRequest, body: str, dark: bool
) -> None:
    pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    shown = reports.show(demo_run, tmp_path / "report.html")
    notebook = tmp_path / "notebook.html"
    notebook.write_text(f"<!doctype html><body {body}>{shown._repr_html_()}", encoding="utf-8")
    # As in a browser of which nothing is emulated: a scheme that is, is that of every frame.
    opened = request.getfixturevalue("open_report")(notebook, color_scheme="no-preference")
    inside = opened.page.frame_locator("iframe")
    inside.locator("#verdict .headline").wait_for()
    assert inside.locator("html").evaluate("() => matchMedia('(prefers-color-scheme: dark)').matches") == dark


@pytest.mark.parametrize("height", [0, -1, 1.5, True, "800"])
def test_a_height_is_a_number_of_pixels(make_run: Callable[..., Path], height: Any) -> None:
    run = make_run()
    with pytest.raises(SpecError, match="`height` is a whole number of pixels, such as 800; got"):
        Run(run).show(height=height)
    assert not (run / "report.html").exists()
