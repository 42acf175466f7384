"""`fusion-nas export`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from search.cli.app import RunDir, app


@app.command()
def export(
    run_dir: RunDir,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="The folder to write.")],
    pick: Annotated[
        str, typer.Option(metavar="best|knee|ID", help="The best candidate, the knee of the front, or an id.")
    ] = "best",
    onnx: Annotated[bool, typer.Option("--onnx", help="Also write model.onnx (needs fusion-nas[onnx]).")] = False,
) -> None:
    """Export an architecture as plain PyTorch.

    Source and weights run without fusion-nas. The validation accuracy is measured again with the exported files;
    `python verify.py` in the folder checks them on any machine.

    Example: fusion-nas export runs/a -o exported --pick knee
    """
    import reports
    from search.run.run import validation

    folder = reports.export(run_dir, output, pick=pick, onnx=onnx, evaluate=validation(run_dir))
    for module in json.loads((folder / "config.json").read_text())["own_modules"]:
        typer.echo(f"modeling.py imports your module {module}; its folder must be on PYTHONPATH", err=True)
    typer.echo(folder)
