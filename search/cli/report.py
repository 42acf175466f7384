"""`fusion-nas report`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from search.cli.app import app

if TYPE_CHECKING:
    import pandas as pd

    from spaces import JointSpace, SearchSpace


@app.command()
def report(
    run_dirs: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="RUN_DIR...",
            help="A run directory, whose run need not be finished; or two to five, to compare them.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            help="The file to write; by default report.html in the run directory, and runs.html or study.html here.",
        ),
    ] = None,
    assets: Annotated[
        Literal["inline", "directory"],
        typer.Option(help="inline: one self-contained file; directory: scripts beside it, which reports share."),
    ] = "inline",
    table: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write all candidates and their ranks, too: .csv, .json or .parquet, by the suffix."
        ),
    ] = None,
    study: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="An Optuna study instead of a run: sqlite:///FILE, postgresql://…, or a journal's file."
        ),
    ] = None,
    study_name: Annotated[str | None, typer.Option(metavar="NAME", help="Its name, where there are several.")] = None,
    space: Annotated[
        str | None,
        typer.Option(
            metavar="NAME | CONFIG.yaml | MODULE:FUNCTION",
            help="The space whose `suggest` the study called; its report shows architectures then.",
        ),
    ] = None,
    objectives: Annotated[
        str | None, typer.Option(metavar="NAME,…", help="Names of the study's objectives, in their order.")
    ] = None,
) -> None:
    """Write the HTML report of a run, of several runs side by side, or of an Optuna study, and print its path.

    Examples: fusion-nas report runs/a -o a.html; fusion-nas report runs/a runs/b;
    fusion-nas report --study sqlite:///study.db --objectives accuracy,params
    """
    from fusion_ops.errors import ConfigError
    from reports.tables.writing import require_suffix

    folders = run_dirs or []
    if bool(folders) == (study is not None):
        raise ConfigError("give a run directory, two to five of them, or --study URL; not both, nor none.")
    for_study = {"--study-name": study_name, "--space": space, "--objectives": objectives}
    alone = next((option for option, value in for_study.items() if value is not None), None)
    if study is None and alone is not None:
        raise ConfigError(f"`{alone}` is for --study; a run has its own. Leave it out.")
    if table is not None:
        require_suffix(table)
    if study is not None:
        _of_study(study, study_name, space, objectives, output, assets, table)
        return
    _of_runs(folders, output, assets, table)


def _of_runs(folders: Sequence[Path], output: Path | None, assets: str, table: Path | None) -> None:
    import reports
    from reports.pages.tables import table_of_runs

    typer.echo(reports.write_html(folders[0] if len(folders) == 1 else folders, output, assets=assets))
    if table is not None:
        typer.echo(reports.write_table(table_of_runs(folders), table))


def _of_study(
    url: str,
    name: str | None,
    space: str | None,
    objectives: str | None,
    output: Path | None,
    assets: str,
    table: Path | None,
) -> None:
    import reports
    from reports.pages.table_page import write_table_page
    from reports.pages.tables import with_ranks
    from search.study.users_storage import open_study
    from search.study.users_study import study_table

    opened = open_study(url, name)
    names = None if objectives is None else [part.strip() for part in objectives.split(",")]
    read = study_table(opened, names, None if space is None else _space(space))
    path = output or Path("study.html")
    typer.echo(write_table_page(read.rows, read.objectives, path, assets, name=read.name))
    if table is not None:
        typer.echo(reports.write_table(with_ranks(_writable(read.rows), read.objectives), table))


def _writable(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with each curve as text, as candidates.csv has it."""
    import json

    texts = [curve if isinstance(curve, str) else json.dumps(curve) for curve in rows["curve"]]
    return rows.assign(curve=texts)


def _space(which: str) -> SearchSpace | JointSpace:
    """Return a space by its name, of a config, or what a user-defined function returns.

    Raises:
        ConfigError: The function returns something else.
    """
    from fusion_ops.errors import ConfigError
    from search.cli.spaces import space_named
    from spaces import JointSpace, SearchSpace
    from spaces.importing import imported, is_reference, make_importable

    if not is_reference(which):
        return space_named(which)
    make_importable(Path.cwd())
    made = imported(which)
    space = made() if callable(made) else made
    if not isinstance(space, SearchSpace | JointSpace):
        raise ConfigError(
            f"`--space` names a function that returns a space, such as `spaces.trace(model, example)`; {which} gave "
            f"{type(space).__name__}."
        )
    return space
