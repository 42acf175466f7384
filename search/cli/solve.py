"""`fusion-nas solve`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from search.cli.app import AsJson, RunDir, app

if TYPE_CHECKING:
    from search.run.solve import Solution, Solver
    from search.run.verified import Verification

SHOWN = 5


@app.command()
def solve(
    run_dir: RunDir,
    budget: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="At most so much: params=500000, latency=5.")
    ] = None,
    sweep: Annotated[
        str | None, typer.Option(metavar="KEY", help="Print the whole predicted front of this cost.")
    ] = None,
    verify: Annotated[
        int | None, typer.Option(metavar="K", help="Train the K best, and say how far off it is.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say which architecture is best within any budget, by the library of a run: exactly, and without a training.

    What choices change together is taken for the sum of what each changes alone.

    Example: fusion-nas solve runs/a --budget params=500000 --verify 3
    """
    from fusion_ops.errors import ConfigError
    from search.cli.console import print_json
    from search.run.solve import Solver, parsed_budgets

    budgets = parsed_budgets(budget or ())
    if sweep is not None and verify is not None:
        raise ConfigError("`--sweep` prints a whole front, and `--verify K` trains the K best of one budget; take one.")
    if verify is None and sweep is None and not budgets:
        raise ConfigError("`solve` takes `--budget KEY=VALUE`, such as --budget params=500000, or `--sweep params`.")
    solver = Solver(run_dir)
    _tell_missing(solver)
    if sweep is not None:
        found = solver.front(sweep, budgets)
    else:
        found = solver.best(budgets, SHOWN if verify is None else verify)
    trained = None if verify is None else _verified(solver, found)
    if as_json:
        print_json([solution.to_dict() for solution in found])
    else:
        _print(solver, found)
    if trained is not None:
        _print_verification(solver, trained, as_json=as_json)


def _verified(solver: Solver, found: Sequence[Solution]) -> Verification | None:
    from search.run.verified import verification
    from search.run.verify import verify
    from search.watching.status import how_to_resume, read_status

    if verify(solver.run.path, found):
        typer.echo(f"interrupted: {how_to_resume(read_status(solver.run.path))}", err=True)
        raise typer.Exit(130)
    return verification(solver, found)


def _tell_missing(solver: Solver) -> None:
    if missing := solver.library.missing:
        slots = solver.space.slots
        named = ", ".join(f"{one.choice} at {slots[one.slot].name}" for one in missing[:3])
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        typer.echo(
            f"notice: the library lacks {named}{more}; see the reasons in candidates.csv; they are not considered",
            err=True,
        )


def _print(solver: Solver, found: Sequence[Solution]) -> None:
    from reports.measures import MEASURES
    from search.cli.console import print_table, print_text

    measures = list(solver.parent)
    costs = [name for name in solver.costs if name in found[0].costs]
    headings = [*(_heading(name) for name in measures), *(MEASURES[name].label for name in costs)]
    rows = [
        (
            solution.architecture.id,
            _fusion(solution),
            *(_change(solution, name) for name in measures),
            *(MEASURES[name].format(solution.costs[name]) for name in costs),
        )
        for solution in found
    ]
    print_table(("id", "fusion"), headings, rows)
    shown = ", ".join(f"{MEASURES[name].label} {MEASURES[name].format(value)}" for name, value in solver.parent.items())
    print_text(
        f"\nPredictions are changes against the parent ({shown}), sums of what each choice changes alone in it, ± one "
        f"standard error; the order is that of {MEASURES[solver.score].label}. `--verify K` trains the K best."
    )


def _heading(name: str) -> str:
    from reports.measures import MEASURES

    measure = MEASURES[name]
    return f"{measure.label} changes by" + (" (points)" if measure.style == "percent" else "")


def _fusion(solution: Solution) -> str:
    choices = [str(choice) for _, choice in solution.architecture.choices]
    return choices[0] if len(set(choices)) == 1 else " | ".join(choices)


def _change(solution: Solution, name: str) -> str:
    return _with_error(name, solution.changes[name].mean, solution.changes[name].error)


def _with_error(name: str, mean: float, error: float) -> str:
    import math

    from reports.measures import MEASURES
    from reports.phrases import signed_points

    measure = MEASURES[name]
    if math.isnan(error):
        return signed_points(measure, mean)
    bar = signed_points(measure, error, (mean,)).removeprefix("+").removesuffix(" points")
    return f"{signed_points(measure, mean, (error,)).removesuffix(' points')} ± {bar}"


def _print_verification(solver: Solver, found: Verification | None, *, as_json: bool) -> None:
    from search.cli.console import print_table, print_text
    from search.run.verified import verdict_of

    if found is None:
        typer.echo("nothing could be verified: see the reasons in candidates.csv", err=True)
        raise typer.Exit(1)
    lines = verdict_of(found)
    if as_json:
        for line in lines:
            typer.echo(line, err=True)
        return
    rows = [
        (
            one.solution.architecture.id,
            _change(one.solution, found.score),
            _with_error(found.score, one.measured.mean, one.measured.error),
            _with_error(found.score, one.off.mean, one.off.error),
            "yes" if one.beyond else "no",
        )
        for one in found.rows
    ]
    print_text("")
    print_table(("id",), ("predicted", "trained", "off by", "more than chance"), rows)
    for line in lines:
        print_text(line)
