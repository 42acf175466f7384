"""`fusion-nas status`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from search.cli.app import app


@app.command()
def status(
    run_dir: Annotated[Path, typer.Argument(help="The run directory.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show how far a run is, from any terminal.

    Example: fusion-nas status runs/a --json
    """
    from search.status import read_status

    found = read_status(run_dir)
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    counts = ", ".join(f"{count} {state}" for state, count in found["candidates"].items() if count)
    typer.echo(f"run         {found['run']}{', driven by ' + found['driver'] if found['driver'] else ''}")
    typer.echo(f"candidates  {found['done']} of {found['trials']} done: {counts or 'none yet'}")
    if found["best"]:
        typer.echo(f"best        {_measures(found['best'])}")
    if found["run"] == "stopped":
        typer.echo(f"to go on    fusion-nas resume {found['path']}")


def _measures(best: dict[str, Any]) -> str:
    from reports.measures import MEASURES

    shown = (f"{MEASURES[name].format(value)} {MEASURES[name].label}" for name, value in best.items() if name != "id")
    return f"{', '.join(shown)} ({best['id']})"
