"""What `launch` and `resume` print after a search: the front, and what to do next."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from shlex import quote
from typing import Any

import pandas as pd
import typer

import reports
from reports.candidates.hyperparameters import kept, settings_in_words
from reports.measures import MEASURES
from reports.run.none_ranked import none_ranked
from reports.run.run import load_run
from search.cli.console import print_table
from search.cli.trust import trust_lines
from search.config import SearchConfig
from search.config.strategy import LIBRARY
from search.run.run import Run
from search.watching.status import ending, how_to_resume, read_status
from spaces import Architecture

__all__ = ["print_run"]

SHOWN = 10


def print_run(run: Run) -> None:
    """Print the front and where the report is; exit with 130 when the run was interrupted.

    Raises:
        typer.Exit: The run was interrupted (130), no candidate is complete (1), or none of the complete ones
            meets the constraints (3).
    """
    status = read_status(run.path)
    if run.interrupted:
        typer.echo(f"interrupted: {how_to_resume(status)}", err=True)
        raise typer.Exit(130)
    config = SearchConfig.load(run.path / "config.yaml")
    candidates = run.candidates()
    candidates = candidates[candidates["series"] == ""]
    why = ending(status, config.to_dict())
    ranked = reports.rank(candidates, config.objectives)
    if ranked.empty and (none := none_ranked(load_run(run.path))) is not None:
        typer.echo(none.line.replace("`", ""), err=True)
        if why and not none.nearest:
            typer.echo(why, err=True)
        raise typer.Exit(3 if none.nearest else 1)
    _print_front(ranked[ranked["rank"] == 1].head(SHOWN), config)
    typer.echo(f"\nreport  {run.path / 'report.html'}")
    typer.echo(f"export  fusion-nas export {quote(str(run.path))} -o DIR --pick best|knee|ID")
    typer.echo(f"verdict fusion-nas retrain {quote(str(run.path))}")
    if config.search.strategy == LIBRARY:
        typer.echo(f"solve   fusion-nas solve {quote(str(run.path))} --budget params=N")
    for place, line in enumerate(trust_lines(load_run(run.path))):
        typer.echo(f"{'' if place else 'trust':<8}{line}")
    if why:
        typer.echo(why)


def _print_front(front: pd.DataFrame, config: SearchConfig) -> None:
    names = list(dict.fromkeys([*config.objectives, "params", "flops"]))
    searched = config.hyperparameters
    headings = ["id", *(MEASURES[name].label for name in names), "fusion", *(["with"] if searched else [])]
    print_table(headings, (), [_front_row(row, names, searched) for row in front.to_dict("records")])


def _front_row(row: Mapping[Hashable, Any], names: Sequence[str], searched: Mapping[str, Any]) -> list[str]:
    choices = [str(choice) for _, choice in Architecture.from_json(row["architecture"]).choices]
    fusion = choices[0] if len(set(choices)) == 1 else " | ".join(choices)
    values = (MEASURES[name].format(row[MEASURES[name].column]) for name in names)
    beside = [settings_in_words(kept(row, searched))] if searched else []
    return [f"{row['id']}{' (knee)' if row['knee'] else ''}", *values, fusion, *beside]
