"""The copy of Plotly in the package: it goes with the figures that are written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from plotly.offline import get_plotlyjs_version

from fusion_ops.errors import RunError
from reports.html.plotly_bundle import FILE, TRACES, plotly, plotly_version
from reports.panels.panel import ordered
from reports.run.catalog import make_catalog
from reports.run.run import load_run

NPM = Path(__file__).parents[2] / "node" / "node_modules" / "plotly.js-basic-dist-min"


def test_it_has_the_version_for_which_figures_are_written() -> None:
    assert plotly_version(plotly()) == get_plotlyjs_version(), "run `make plotly`"


def test_its_licence_lies_beside_it() -> None:
    assert "MIT License" in (FILE.parent / "plotly-LICENSE.txt").read_text(encoding="utf-8")


def test_it_is_what_was_published() -> None:
    if not NPM.is_dir():
        pytest.skip("no npm packages in tests/node; run `make node`")
    assert (NPM / FILE.name).read_bytes() == FILE.read_bytes()


def test_it_stays_whole_within_a_page() -> None:
    # Any of these would end the script early, or change what its hash is of.
    assert not [mark for mark in ("</script", "<!--", "\r") if mark in plotly()]


def test_it_draws_all_that_panels_draw(make_run: Callable[..., Path]) -> None:
    run = load_run(make_run())
    catalog = make_catalog(run)
    drawn = [(panel, panel.info(run, catalog)) for _, panel in ordered() if panel.figure is not None]
    figures = [panel.figure(info) for panel, info in drawn if info is not None]
    assert {trace.type for figure in figures for trace in figure.data} <= set(TRACES)


def test_another_script_in_its_place_is_refused() -> None:
    with pytest.raises(RunError, match="Install it again"):
        plotly_version("/* plotly.js v9 */")
