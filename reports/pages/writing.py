"""One way to write a report, whatever it is of: a run, several runs, or a table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from fusion_ops.errors import ConfigError
from reports.html import document as html
from reports.pages.runs_page import write_runs
from reports.pages.table_page import write_table_page
from reports.tables.objectives import Objectives

__all__ = ["write_html"]


def write_html(
    source: str | Path | Sequence[str | Path] | pd.DataFrame,
    path: str | Path | None = None,
    assets: str = "inline",
    *,
    objectives: Objectives | None = None,
) -> Path:
    """Write a report as one HTML file and return its path.

    ```python
    reports.write_html("runs/a")                                                       # a run: runs/a/report.html
    reports.write_html(["runs/a", "runs/b"], "a-and-b.html")                           # two to five runs
    reports.write_html(table, "table.html", objectives={"map50": "maximize", "gflops": "minimize"})
    ```

    Args:
        source: A run directory, which may still be going on; two to five of them, to compare; or a table of candidates
            from any tool. A table whose `architecture` has architectures of a registered space gets the panels of a
            run, any other one what can be said without: trade-off, ranking, progress, and what its parameters do.
        path: The file. By default `report.html` in the run directory, `runs.html` or `table.html` in the working
            directory. Its folder is made where missing.
        assets: `inline` puts Plotly into the file; `directory` into the folder `report-assets` beside it,
            which all reports of that folder share.
        objectives: Of a table, and of that alone; see `reports.rank`.

    Raises:
        RunError: A folder is no run, or the file cannot be written; the message names it.
        SpecError: `assets` is something else, or an architecture cannot be drawn here.
        ConfigError: The runs cannot be compared, or `objectives` are missing or not wanted.
        DataError: A cell of the table is wrong; the message names column and row.
    """
    if isinstance(source, pd.DataFrame):
        if objectives is None:
            raise ConfigError(
                "a table needs `objectives`, such as ['accuracy', 'params'] or "
                "{'map50': 'maximize', 'gflops': 'minimize'}; got none."
            )
        return write_table_page(source, objectives, path, assets)
    if objectives is not None:
        raise ConfigError("`objectives` are for a table; a run has its own. Leave them out.")
    if isinstance(source, str | Path):
        return html.write_html(source, path, assets)
    folders = list(source)
    return html.write_html(folders[0], path, assets) if len(folders) == 1 else write_runs(folders, path, assets)
