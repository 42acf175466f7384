"""`fusion-nas status`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import typer

from search.cli.app import AsJson, RunDir, app


@app.command()
def status(run_dir: RunDir, as_json: AsJson = False) -> None:
    """Show how far a run is, from any terminal.

    Example: fusion-nas status runs/a --json
    """
    from reports.run.run import read_config
    from search.watching.status import ending, read_status

    found = read_status(run_dir)
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    for label, text in _lines(found):
        typer.echo(f"{label:<12}{text}")
    if found["run"] == "ended" and (why := ending(found, read_config(run_dir))):
        typer.echo(f"why         {why}")


def _lines(found: dict[str, Any]) -> Iterator[tuple[str, str]]:
    from reports.phrases import duration
    from search.watching.status import to_go_on

    counts = ", ".join(f"{count} {state}" for state, count in found["candidates"].items() if count)
    yield "run", f"{found['run']}{', driven by ' + found['driver'] if found['driver'] else ''}"
    yield "candidates", f"{found['done']} of {found['trials']} done: {counts or 'none yet'}"
    if found["hyperparameters"]:
        yield "beside", ", ".join(found["hyperparameters"])
    if found["best"]:
        yield "best", _measures(found["best"])
        yield "front", f"{found['front']} of {found['candidates']['complete']} complete candidates"
    elif found["none_ranked"] and (found["nearest"] or found["run"] == "ended"):
        yield "none ranked", found["none_ranked"].replace("`", "")
    if found["trust"]:
        yield "trust", found["trust"]["sentence"]
    if (again := found["retraining"]) is not None:
        yield (
            "retraining",
            f"{again['run']}: {again['done']} of at most {again['most']} done, {again['epochs']:,} epochs",
        )
    if found["seconds_left"] is not None:
        yield "time left", duration(found["seconds_left"])
    if found["doing"]:
        yield "now", found["doing"]
    for worker in found["workers"]:
        yield "training", _training(worker)
    if found["run"] == "stopped":
        yield "stopped", f"{found['updated'] or 'before it began'}; driven by {found['last_driver']}"
        yield "to go on", to_go_on(found)


def _training(worker: dict[str, Any]) -> str:
    fusion = ", ".join(worker["fusion"])
    pace = f"{worker['epochs']} epochs, {worker['seconds_per_epoch']:.2f} s each"
    return f"{worker['number']} ({worker['id']}) on {worker['worker']}: {pace}; {fusion}"


def _measures(best: dict[str, Any]) -> str:
    from reports.measures import MEASURES

    shown = (f"{MEASURES[name].format(value)} {MEASURES[name].label}" for name, value in best.items() if name != "id")
    return f"{', '.join(shown)} ({best['id']})"
