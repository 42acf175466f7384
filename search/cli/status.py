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
    import yaml

    from search.cli.ending import ending
    from search.watching.durations import duration
    from search.watching.status import read_status

    found = read_status(run_dir)
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    counts = ", ".join(f"{count} {state}" for state, count in found["candidates"].items() if count)
    typer.echo(f"run         {found['run']}{', driven by ' + found['driver'] if found['driver'] else ''}")
    typer.echo(f"candidates  {found['done']} of {found['trials']} done: {counts or 'none yet'}")
    if found["best"]:
        typer.echo(f"best        {_measures(found['best'])}")
        typer.echo(f"front       {found['front']} of {found['candidates']['complete']} complete candidates")
    if found["seconds_left"] is not None:
        typer.echo(f"time left   {duration(found['seconds_left'])}")
    if found["doing"]:
        typer.echo(f"now         {found['doing']}")
    for worker in found["workers"]:
        typer.echo(f"training    {_training(worker)}")
    if found["run"] == "stopped":
        typer.echo(f"stopped     {found['updated'] or 'before it began'}; driven by {found['last_driver']}")
        typer.echo(f"to go on    fusion-nas resume {found['path']}")
    if found["run"] == "ended" and (
        why := ending(found, yaml.safe_load((run_dir / "config.yaml").read_text(encoding="utf-8")))
    ):
        typer.echo(f"why         {why}")


def _training(worker: dict[str, Any]) -> str:
    fusion = ", ".join(worker["fusion"])
    pace = f"{worker['epochs']} epochs, {worker['seconds_per_epoch']:.2f} s each"
    return f"{worker['number']} ({worker['id']}) on {worker['worker']}: {pace}; {fusion}"


def _measures(best: dict[str, Any]) -> str:
    from reports.measures import MEASURES

    shown = (f"{MEASURES[name].format(value)} {MEASURES[name].label}" for name, value in best.items() if name != "id")
    return f"{', '.join(shown)} ({best['id']})"
