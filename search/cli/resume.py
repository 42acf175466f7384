"""`fusion-nas resume`."""

from __future__ import annotations

from typing import Annotated

import typer

from search.cli.app import RunDir, WithTensorBoard, app, parse_overrides
from search.cluster.fork_server.handle import fork_server


@app.command()
def resume(
    run_dir: RunDir,
    overrides: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Change search.trials, search.timeout, search.pruner, search.min_epochs, search.patience, "
            "search.random_baseline, search.one_epoch_baseline, verdict.*, limits.*, ray.*, storage.url; have more "
            "space.ops, space.reductions or space.resamplers to choose from; repeatable.",
        ),
    ] = None,
    tensorboard: WithTensorBoard = False,
) -> None:
    """Continue a run, train more candidates in it, or search on in a wider space.

    Candidates that were in training go on from their last checkpoint; none is trained twice.

    Example: fusion-nas resume runs/a --set search.trials=80
    """
    fork_server()
    from search.cli.outcome import print_run
    from search.run.jobs import resume as resume_run

    print_run(resume_run(run_dir, parse_overrides(overrides), tensorboard=tensorboard))
