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
    formats: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="NAME,…",
            help="What to write beside source and weights: pt2, onnx, openvino, …, your own module:Class, or none; "
            "`fusion-nas runtimes` lists them.",
        ),
    ] = "pt2",
    onnx: Annotated[bool, typer.Option("--onnx", help="Short for --format pt2,onnx.")] = False,
    fold: Annotated[
        bool, typer.Option("--fold", help="Fold batch norms into the convolutions in front of them, in the formats.")
    ] = False,
    int8: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,…", help="Also write it in int8 for these runtimes, onnx or openvino; measures its accuracy."
        ),
    ] = None,
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
    """Export an architecture as plain PyTorch, and for the runtimes that will serve it.

    Source and weights run without fusion-nas. Every format is loaded again and compared with the trained network; the
    validation accuracy is measured again with the exported files. `python verify.py` in the folder checks them on any
    machine.

    Example: fusion-nas export runs/a -o exported --pick knee --format pt2,onnx,openvino
    """
    import reports
    from fusion_ops.errors import ConfigError
    from reports.exporting.simplify import TOLERANCE
    from search.run.calibration import calibration
    from search.run.run import validation
    from search.run.timing import timing
    from spaces.importing import make_importable

    if simplify_tolerance is not None and not simplify:
        raise ConfigError("`--simplify-tolerance` is for `--simplify`; add that, or leave it out.")
    tolerance = (TOLERANCE if simplify_tolerance is None else simplify_tolerance) if simplify else None
    make_importable(Path.cwd())  # where a user's runtime may lie
    measures, times = validation(run_dir), timing(run_dir) if simplify else None
    folder = reports.export(
        run_dir,
        output,
        pick=pick,
        formats=formats.split(","),
        fold=fold,
        onnx=onnx,
        int8=() if int8 is None else int8.split(","),
        calibration=None if int8 is None else calibration(run_dir),
        evaluate=measures,
        simplify=tolerance,
        timing=times,
    )
    config, metrics = (
        json.loads((folder / name).read_text(encoding="utf-8")) for name in ("config.json", "metrics.json")
    )
    for line in (*_said(metrics), *_formats_said(config, metrics), *_int8_said(metrics)):
        typer.echo(line, err=True)
    for module in config["own_modules"]:
        typer.echo(f"modeling.py imports your module {module}; its folder must be on PYTHONPATH", err=True)
    typer.echo(folder)


def _said(metrics: dict[str, Any]) -> Iterator[str]:
    """Yield what was replaced and what was left, a line each, then what that saved."""
    simplified = metrics.get("simplified")
    if simplified is None:
        return
    for kind, after in (("replaced", "replaced by constants"), ("left", "left alone")):
        for entry in simplified[kind]:
            difference = "without limit" if entry["difference"] is None else f"by {100 * entry['difference']:.2g} %"
            would = "outputs differ" if kind == "replaced" else "outputs would differ"
            yield f"{entry['point']}: {entry['operator']} {after}; {would} {difference}{_quality(entry, simplified)}"
    if not simplified["replaced"]:
        yield "nothing was simplified"
        return
    saved, latency = simplified["saved"], metrics["latency"]
    faster = f"; {latency['before']:.3g} ms before, {latency['value']:.3g} ms now" if latency else ""
    yield f"simplified: {saved['params']:,} parameters and {saved['flops']:,} FLOPs fewer{faster}"


def _quality(entry: dict[str, Any], simplified: dict[str, Any]) -> str:
    """Return what would become of the quality where that alone keeps an operator."""
    difference, before = entry["difference"], simplified["quality"]["before"]
    close = difference is not None and difference <= simplified["difference"]["tolerance"]
    kept = close and entry in simplified["left"] and entry["quality"] is not None
    return f", but the quality would be {entry['quality']:.4g} instead of {before:.4g}" if kept else ""


def _formats_said(config: dict[str, Any], metrics: dict[str, Any]) -> Iterator[str]:
    """Yield what was folded, then a line for each format."""
    if config["folded"] is not None:
        yield config["folded"]["summary"]
    for file, about in config["formats"].items():
        if file not in metrics["formats"]:
            continue
        difference = metrics["formats"][file]["difference"]
        compared = "nothing here runs it" if difference is None else f"largest difference {difference:.1e}"
        version = (about["version"] or "").partition("+")[0]
        yield f"{file}: {' '.join(filter(None, (about['runtime'], version)))}, {compared}"


def _int8_said(metrics: dict[str, Any]) -> Iterator[str]:
    """Yield what was quantized, a line for each file, with its measures beside those in float32."""
    for file, about in metrics.get("int8", {}).items():
        before = metrics["validation"]["recomputed"] or {}
        pairs = {name: (value, before.get(name.partition("@")[0])) for name, value in about["validation"].items()}
        shown = ", ".join(f"{name} {value:.4g} (float32: {full:.4g})" for name, (value, full) in pairs.items())
        yield f"{file}: {shown}"
        yield f"{file}: {about['quantized']['words']}"
