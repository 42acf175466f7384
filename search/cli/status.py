"""`fusion-nas status`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from search.cli.app import app


@app.command()
def status(
    run_dir: Annotated[Path, typer.Argument(help="The run directory.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show how far a run is, from any terminal, while it goes on or after it.

    Example: fusion-nas status runs/a --json
    """
    from search.status import read_status

    found = read_status(run_dir)
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    for key, value in found.items():
        if isinstance(value, dict):
            shown = ", ".join(f"{count} {name}" for name, count in value.items() if count)
            value = shown or "none"
        typer.echo(f"{key:<12}{'' if value is None else value}".rstrip())
