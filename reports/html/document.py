"""The report as one HTML file that needs nothing else: no server, no network, no other file."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

import reports.panels  # noqa: F401 - registers the panels
from fusion_ops.errors import RunError, SpecError
from reports.atomic import write_text
from reports.candidates.hyperparameters import short_name, written
from reports.candidates.violations import violation_in_words
from reports.drawing.palette import DARK, LIGHT, SHAPES, operator_styles, variables
from reports.html.client import client_data
from reports.html.escaping import script_json, with_breaks, with_code
from reports.html.plotly_bundle import plotly, write_beside
from reports.panels.panel import Panel, ordered
from reports.run.catalog import Catalog, make_catalog
from reports.run.run import RunRecord, load_run

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

__all__ = ["REPORT", "Assets", "environment_of", "plain", "rendered", "require_assets", "write_html", "write_page"]

Assets = Literal["inline", "directory"]
REPORT = "report.html"
SCRIPTS = (
    *("formats.js", "candidate.js", "page.js", "rows.js", "charts.js", "reading.js"),
    *("written_numbers.js", "address.js", "candidate_select.js"),
)


def write_html(run_dir: str | Path, path: str | Path | None = None, assets: str = "inline") -> Path:
    """Write the report of a run, which may still be going on, and return its path.

    Args:
        run_dir: The run directory.
        path: The file; by default `report.html` in the run directory. Its folder is made where missing.
        assets: `inline` puts Plotly into the file; `directory` into the folder `report-assets` beside it,
            which all reports of that folder share.

    Raises:
        RunError: The folder is no run, or the file cannot be written; the message names it.
        SpecError: `assets` is something else, or an architecture cannot be drawn here.
    """
    require_assets(assets)
    run = load_run(run_dir)
    return write_page(Path(path) if path is not None else run.path / REPORT, assets, partial(_page, run))


def require_assets(assets: str) -> None:
    """Check where Plotly is to be put.

    Raises:
        SpecError: It is neither `inline` nor `directory`.
    """
    if assets not in get_args(Assets):
        raise SpecError(f"`assets` must be one of {', '.join(get_args(Assets))}; got {assets!r}.")


def write_page(target: Path, assets: str, page: Callable[[Markup, str], str]) -> Path:
    """Write a page and return its path.

    Args:
        target: The file. Its folder is made where missing.
        assets: See `write_html`.
        page: Returns the page, given Plotly's script and its address; one of them is empty.

    Raises:
        RunError: The file cannot be written; the message names it.
    """
    bundle = plotly()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        inline, source = (bundle, "") if assets == "inline" else ("", write_beside(target.parent, bundle))
        write_text(target, page(Markup(inline), source))  # noqa: S704 - Plotly's own bundle
    except OSError as error:
        raise RunError(f"cannot write {target}: {error.strerror}.") from None
    return target


def _page(run: RunRecord, plotly: Markup, source: str) -> str:
    catalog = make_catalog(run)
    environment = environment_of()
    infos = {name: panel.info(run, catalog) for name, panel in ordered()}
    shown = [(name, panel) for name, panel in ordered() if infos[name] is not None]
    sections = [_section(environment, name, panel, infos, run=run, catalog=catalog) for name, panel in shown]
    return rendered(
        "page.html",
        sections,
        [f"panels/{name}" for name, _ in shown],
        plotly,
        source,
        run=run,
        catalog=catalog,
        client=client_data(run, catalog),
        styles=operator_styles(catalog.operators),
    )


def rendered(
    template: str, sections: list[dict[str, Any]], parts: Sequence[str], plotly: Markup, source: str, **context: Any
) -> str:
    """Return a page.

    Args:
        template: `page.html`, or one that extends it.
        sections: What stands in it: `name`, `title`, `body`, and `figure` and `data` for its script, or `None`.
        parts: Templates, without a suffix, whose scripts and styles it takes.
        plotly: Plotly's script; empty where it lies beside the page.
        source: Its address there.
        **context: What the template needs beside these; `client` and `styles` at least.
    """
    startup, arrived = (Markup('document.documentElement.classList.add("%s");') % name for name in ("js", "arrived"))
    script = _joined(*SCRIPTS, *(f"{part}.js" for part in parts), "start.js")
    return (
        environment_of()
        .get_template(template)
        .render(
            sections=sections,
            colors={name: [LIGHT[name], DARK[name]] for name in LIGHT},
            style=_style(parts),
            shapes=SHAPES,
            startup=startup,
            arrived=arrived,
            plotly=plotly,
            source=source,
            script=script,
            policy=_policy([startup, arrived, script, *([plotly] if plotly else [])], external=bool(source)),
            **context,
        )
    )


def _section(
    environment: Environment, name: str, panel: Panel, infos: Mapping[str, Any], **context: RunRecord | Catalog
) -> dict[str, Any]:
    """Return a panel's section; its template has its numbers as `info`, and those of all panels as `infos`."""
    info = infos[name]
    template = environment.get_template(f"panels/{name}.html")
    return {
        "name": name,
        "title": panel.title,
        "short": panel.short or panel.title,
        "body": Markup(template.render(info=info, infos=infos, **context)),  # noqa: S704 - autoescaped
        "figure": plain(panel.figure(info)) if panel.figure is not None else None,
        "data": panel.data(info) if panel.data is not None else None,
    }


@cache
def environment_of() -> Environment:
    """Return what renders the templates, everything escaped; each is compiled once a process."""
    environment = Environment(
        loader=PackageLoader("reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "script_json": script_json,
        "code": with_code,
        "path": with_breaks,
        "violation": violation_in_words,
        "setting": written,
        "setting_name": short_name,
    }
    return environment


def _style(parts: Sequence[str]) -> Markup:
    colors = (
        f":root {{ {variables(LIGHT)} }}\n"
        f"@media screen and (prefers-color-scheme: dark) {{ :root {{ {variables(DARK)} }} }}\n"
    )
    return Markup(colors) + _joined("page.css", *(f"{part}.css" for part in parts))  # noqa: S704


def _joined(*names: str) -> Markup:
    """Return those of the files that exist, one after the other."""
    folder = Path(__file__).parents[1] / "templates"
    files = [folder / name for name in names]
    return Markup("\n".join(file.read_text(encoding="utf-8") for file in files if file.is_file()))  # noqa: S704


def _policy(scripts: list[Markup], *, external: bool) -> str:
    """Return a Content-Security-Policy that runs these very scripts and loads nothing from anywhere."""
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'" for script in scripts
    )
    beside = " 'self' file:" if external else ""
    return (
        f"default-src 'none'; script-src {hashes}{beside}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )


def plain(figure: Figure) -> dict[str, Any]:
    """Return a figure as the page keeps it."""
    out: dict[str, Any] = figure.to_plotly_json()
    return out
