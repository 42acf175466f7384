"""The report as one HTML file that needs nothing else: no server, no network, no other file."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

import reports.panels  # noqa: F401 - registers the panels
from fusion_ops.errors import RunError, SpecError
from reports.atomic import write_text
from reports.catalog import Catalog, make_catalog
from reports.client import client_data
from reports.escaping import script_json, with_code
from reports.palette import DARK, LIGHT, SHAPES, operator_styles, variables
from reports.panel import Panel, ordered
from reports.plotly_bundle import plotly, write_beside
from reports.run import RunRecord, load_run

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

__all__ = ["REPORT", "Assets", "write_html"]

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
    if assets not in get_args(Assets):
        raise SpecError(f"`assets` must be one of {', '.join(get_args(Assets))}; got {assets!r}.")
    run = load_run(run_dir)
    target = Path(path) if path is not None else run.path / REPORT
    bundle = plotly()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if assets == "inline":
            page = _page(run, plotly=Markup(bundle), source="")  # noqa: S704 - Plotly's own bundle
        else:
            page = _page(run, plotly=Markup(""), source=write_beside(target.parent, bundle))
        write_text(target, page)
    except OSError as error:
        raise RunError(f"cannot write {target}: {error.strerror}.") from None
    return target


def _page(run: RunRecord, *, plotly: Markup, source: str) -> str:
    catalog = make_catalog(run)
    environment = _environment()
    sections = [_section(environment, name, panel, run, catalog) for name, panel in ordered()]
    startup = Markup('document.documentElement.classList.add("js");')
    arrived = Markup('document.documentElement.classList.add("arrived");')
    script = _joined(*SCRIPTS, *(f"panels/{name}.js" for name, _ in ordered()), "start.js")
    return environment.get_template("page.html").render(
        run=run,
        catalog=catalog,
        sections=sections,
        client=client_data(run, catalog),
        colors={name: [LIGHT[name], DARK[name]] for name in LIGHT},
        style=_style(),
        styles=operator_styles(catalog.operators),
        shapes=SHAPES,
        startup=startup,
        arrived=arrived,
        plotly=plotly,
        source=source,
        script=script,
        policy=_policy([startup, arrived, script, *([plotly] if plotly else [])], external=bool(source)),
    )


def _section(environment: Environment, name: str, panel: Panel, run: RunRecord, catalog: Catalog) -> dict[str, Any]:
    info = panel.info(run, catalog)
    template = environment.get_template(f"panels/{name}.html")
    return {
        "name": name,
        "title": panel.title,
        "short": panel.short or panel.title,
        "body": Markup(template.render(info=info, run=run, catalog=catalog)),  # noqa: S704 - autoescaped
        "figure": _plain(panel.figure(info)) if panel.figure is not None else None,
        "data": panel.data(info) if panel.data is not None else None,
    }


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"script_json": script_json, "code": with_code}
    return environment


def _style() -> Markup:
    colors = (
        f":root {{ {variables(LIGHT)} }}\n"
        f"@media screen and (prefers-color-scheme: dark) {{ :root {{ {variables(DARK)} }} }}\n"
    )
    return Markup(colors) + _joined("page.css", *(f"panels/{name}.css" for name, _ in ordered()))  # noqa: S704


def _joined(*names: str) -> Markup:
    """Return those of the files that exist, one after the other."""
    folder = Path(__file__).parent / "templates"
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


def _plain(figure: Figure) -> dict[str, Any]:
    plain: dict[str, Any] = figure.to_plotly_json()
    return plain
