"""`fusion-nas export`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

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
    simplify: Annotated[
        bool, typer.Option("--simplify", help="Replace attention that is constant by its constants, and verify it.")
    ] = False,
    simplify_tolerance: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE", help="By what share of their deviation outputs may differ then, by default 0.01."
        ),
    ] = None,
) -> None:
    """Export an architecture as plain PyTorch.

    Source and weights run without fusion-nas. The validation accuracy is measured again with the exported files;
    `python verify.py` in the folder checks them on any machine.

    Example: fusion-nas export runs/a -o exported --pick knee
    """
    import reports
    from fusion_ops.errors import ConfigError
    from reports.exporting.simplify import TOLERANCE
    from search.run.run import validation

    if simplify_tolerance is not None and not simplify:
        raise ConfigError("`--simplify-tolerance` is for `--simplify`; add that, or leave it out.")
    tolerance = (TOLERANCE if simplify_tolerance is None else simplify_tolerance) if simplify else None
    folder = reports.export(run_dir, output, pick=pick, onnx=onnx, evaluate=validation(run_dir), simplify=tolerance)
    for line in _said(json.loads((folder / "metrics.json").read_text()).get("simplified")):
        typer.echo(line, err=True)
    for module in json.loads((folder / "config.json").read_text())["own_modules"]:
        typer.echo(f"modeling.py imports your module {module}; its folder must be on PYTHONPATH", err=True)
    typer.echo(folder)


def _said(simplified: dict[str, Any] | None) -> Iterator[str]:
    """Yield what was replaced and what was left, a line each."""
    if simplified is None:
        return
    for kind, after in (("replaced", "replaced by constants"), ("left", "left alone")):
        for entry in simplified[kind]:
            difference = "without limit" if entry["difference"] is None else f"by {100 * entry['difference']:.2g} %"
            would = "outputs differ" if kind == "replaced" else "outputs would differ"
            yield f"{entry['point']}: {entry['operator']} {after}; {would} {difference}"
    saved = simplified["saved"]
    yield f"simplified: {saved['params']:,} parameters and {saved['flops']:,} FLOPs fewer"
