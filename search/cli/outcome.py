"""What `launch` and `resume` print before and after: the plan, the front, what to do next."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from itertools import zip_longest
from shlex import quote
from typing import Any

import pandas as pd
import typer
from rich.console import Console
from rich.table import Table

import reports
from fusion_ops.errors import DataError
from reports.candidates.hyperparameters import kept, settings_in_words
from reports.measures import MEASURES
from reports.run.none_ranked import none_ranked
from reports.run.run import load_run
from search.cli.console import print_table
from search.cli.hyperparameters import searched_beside
from search.cli.power import power_of_launch
from search.cli.strategy import strategy_lines
from search.cli.trust import trust_lines
from search.config import SearchConfig
from search.config.strategy import LIBRARY
from search.run.planning import plan
from search.run.prior import require_prior
from search.run.run import Run
from search.run.supernet_room import supernet_in_words
from search.study.strategies.library import library_trainings
from search.watching.status import ending, how_to_resume, read_status
from spaces import Architecture, JointSpace

__all__ = ["print_plan", "print_run"]

SHOWN = 10


def print_plan(config: SearchConfig) -> None:
    """Print what `launch` would do with a config.

    Raises:
        ConfigError: The config cannot be carried out here.
        DataError: The data set cannot be used. What the config says of the space itself is printed before.
        Infeasible: No architecture meets the constraints.
    """
    table = Table.grid(padding=(0, 2))
    try:
        space, dataset = plan(config)
        require_prior(config)
    except DataError:
        stated = config.stated_space()
        if stated is not None:
            _add_space(table, config.joint_space(stated))
            Console().print(table)
        raise
    table.add_row("data", f"{dataset.name}: {_images(dataset.sizes())}")
    table.add_row("search", f"{config.search.trials} candidates of {_epochs(config.candidate_train.epochs)}")
    for place, line in enumerate(strategy_lines(config)):
        table.add_row("" if place else "strategy", line)
    if config.search.strategy == LIBRARY:
        count = len(library_trainings(space.space, config.search.seed, config.strategy.library_seeds))
        table.add_row("library", f"{count} trainings of {_epochs(config.strategy.library_epochs)} before")
    table.add_row("objectives", ", ".join(config.objectives))
    _add_space(table, space)
    if supernet := supernet_in_words(config, space.space, dataset):
        table.add_row("supernet", supernet)
    for head, line in zip_longest(("power",), power_of_launch(config, dataset), fillvalue=""):
        table.add_row(head, line)
    Console().print(table)


def _epochs(count: int) -> str:
    return "1 epoch" if count == 1 else f"{count:,} epochs"


def _images(sizes: Mapping[str, Any]) -> str:
    """Return how many images there are to train on and to validate on, and of which classes."""
    said = f"{sizes['train']:,} train, {sizes['validation']:,} validation images"
    least, most = sizes.get("images_a_class", {}).get("train", (None, None))
    return said if least is None else f"{said}, to train on {least:,} to {most:,} a class"


def _add_space(table: Table, joint: JointSpace) -> None:
    space = joint.space
    table.add_row("space", f"{space.name}, {len(space.points)} fusion points, {space.size():,} architectures")
    for index, line in enumerate(searched_beside(joint)):
        table.add_row("" if index else "beside", line)
    for architecture in space.baselines():
        cost = space.cost(architecture)
        name = str(architecture.choices[0][1])
        table.add_row(f"all {name}", f"{cost.params:,} parameters, {cost.flops:,} FLOPs")


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
