"""`fusion-nas launch`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from search.cli.app import WithTensorBoard, app, parse_overrides
from search.cluster.fork_server.handle import fork_server


@app.command()
def launch(
    config: Annotated[Path, typer.Argument(metavar="CONFIG.yaml", help="The search config.")],
    run_dir: Annotated[
        Path | None,
        typer.Option(help="Where the run is kept; by default runs/NAME-TIME.", show_default=False),
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Override a key of the config; may be repeated."),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Check config, data, space, resources; print what would run; start nothing."),
    ] = False,
    tensorboard: WithTensorBoard = False,
    submit: Annotated[
        str | None,
        typer.Option(
            metavar="http://HEAD:8265",
            help="Have the job server of a Ray cluster launch it, with RUN_DIR on the head node.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Train candidates on Ray workers and write the report.

    One Optuna study proposes them and stops early those that cannot add to the front.

    Ctrl-C stops it; `fusion-nas resume RUN_DIR` continues it.

    Example: fusion-nas launch examples/digits.yaml --run-dir runs/a --set search.trials=8
    """
    if not dry_run and submit is None:
        # Imports what workers need, while this process imports what it needs.
        fork_server()
    from search.config import SearchConfig
    from search.run.jobs import launch as launch_run
    from search.study.run_directory import RunDirectory

    loaded = SearchConfig.load(config, overrides=parse_overrides(overrides))
    where = run_dir or Path("runs") / f"{config.stem}-{datetime.now():%Y%m%d-%H%M%S}"
    if dry_run:
        RunDirectory(where).require_new()
        from search.cli.dry_run import print_plan

        print_plan(loaded)
        return
    if submit is not None:
        from search.cluster.submission import submit as submit_job

        job = submit_job(loaded, where, submit, tensorboard=tensorboard)
        typer.echo(f"submitted  {job}")
        typer.echo(f"follow     ray job logs --address {submit} --follow {job}")
        typer.echo(f"stop       ray job stop --address {submit} {job}")
        return
    from search.cli.outcome import print_run

    print_run(launch_run(loaded, where, tensorboard=tensorboard))
