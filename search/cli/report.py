"""`fusion-nas report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from search.cli.app import app


@app.command()
def report(
    run_dir: Annotated[Path, typer.Argument(help="The run directory; the run need not be finished.")],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="The file to write; by default report.html in the run directory."),
    ] = None,
    assets: Annotated[
        Literal["inline", "directory"],
        typer.Option(help="inline: one self-contained file; directory: scripts beside it, which reports share."),
    ] = "inline",
) -> None:
    """Write the HTML report of a run and print its path.

    Example: fusion-nas report runs/a -o a.html
    """
    import reports

    typer.echo(reports.write_html(run_dir, output, assets=assets))
