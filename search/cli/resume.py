"""`fusion-nas resume`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from search.cli.app import app
from search.cli.overrides import parse_overrides


@app.command()
def resume(
    run_dir: Annotated[Path, typer.Argument(help="The run directory.")],
    overrides: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Change search.trials, search.timeout, search.pruner, search.patience, search.random_baseline, "
            "search.one_epoch_baseline, limits.*, ray.*, storage.url; repeatable.",
        ),
    ] = None,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Write TensorBoard event files into RUN_DIR/tensorboard.")
    ] = False,
) -> None:
    """Continue a run, or train more candidates in it.

    Candidates that were in training go on from their last checkpoint; none is trained twice.

    Example: fusion-nas resume runs/a --set search.trials=80
    """
    from search.cli.outcome import print_run
    from search.run.jobs import resume as resume_run

    print_run(resume_run(run_dir, parse_overrides(overrides), tensorboard=tensorboard))
