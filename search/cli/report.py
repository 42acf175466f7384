"""`fusion-nas report`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from search.cli.app import app


class Assets(StrEnum):
    """Where the report's scripts are."""

    INLINE = "inline"
    DIRECTORY = "directory"


@app.command()
def report(
    run_dir: Annotated[Path, typer.Argument(help="The run directory; the run may still be going on.")],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="The file to write; by default report.html in the run directory."),
    ] = None,
    assets: Annotated[
        Assets,
        typer.Option(help="inline: one self-contained file; directory: scripts beside it, for many reports."),
    ] = Assets.INLINE,
) -> None:
    """Write the HTML report of a run and print its path.

    Example: fusion-nas report runs/a -o a.html
    """
    import reports

    typer.echo(reports.write_html(run_dir, output, assets=assets.value))
