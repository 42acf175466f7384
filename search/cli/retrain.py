"""`fusion-nas retrain`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from search.cli.app import RunDir, app
from search.cluster.fork_server.handle import fork_server


@app.command()
def retrain(
    run_dir: RunDir,
    top: Annotated[
        int | None, typer.Option(metavar="K", help="Finalists of the front; 3 by default.", show_default=False)
    ] = None,
    seeds: Annotated[
        str | None,
        typer.Option(
            metavar="N | A..B", help="Seeds of every network, or least and most; 3..12 by default.", show_default=False
        ),
    ] = None,
    recipes: Annotated[
        list[Path] | None,
        typer.Option("--recipe", metavar="FILE", help="YAML of `train` keys: another way to train; may be repeated."),
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(metavar="400epochs|2h", help="When it ends at the latest; none: never.", show_default=False),
    ] = None,
    ablate: Annotated[
        bool, typer.Option("--ablate", help="Also set each fusion point of the winner back, one at a time.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check all, print who takes part and what it takes; start nothing.")
    ] = False,
    exit_code: Annotated[
        bool,
        typer.Option("--exit-code", help="Exit with 0 if the verdict is better, 10 same, 11 worse, 12 undecided."),
    ] = False,
) -> None:
    """Train the finalists and what they have to beat again, from scratch, on several seeds, and test them.

    The test images are touched here and nowhere else. What is left open is as in the call before: after Ctrl-C or a
    crash `fusion-nas retrain RUN_DIR` goes on.

    Example: fusion-nas retrain runs/a --top 2 --seeds 5 --recipe long.yaml --dry-run
    """
    if not dry_run:
        fork_server()
    from search.cli.retraining import print_prospect, print_retrained
    from search.run.retrain import prospect
    from search.run.retrain import retrain as retrain_run
    from search.run.retrain_request import RetrainRequest, parse_seeds

    wanted = None if seeds is None else parse_seeds(seeds)
    request = RetrainRequest.checked(top, wanted, recipes or (), budget, ablate=ablate)
    if dry_run:
        print_prospect(prospect(run_dir, request))
        return
    print_retrained(run_dir, interrupted=retrain_run(run_dir, request), by_verdict=exit_code)
