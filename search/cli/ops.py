"""`fusion-nas ops`."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from search.cli.app import app

CHANNELS, SIZE, R = 64, 32, 4
LETTERS = (
    "x, y: the inputs. σ: sigmoid. GAP: global average pooling. W, A, P: 1×1 convolutions. L: local stack of MS-CAM, "
    "1×1 convolution to C // r channels, BN, ReLU, 1×1 convolution back, BN; G: global stack, the same after GAP."
)


@app.command()
def ops(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List the fusion operators with formula, options and cost.

    The cost is that of one operator at 64 channels, 32 × 32 positions and r = 4.

    Example: fusion-nas ops --json
    """
    found = [_description(name) for name in _names()]
    if as_json:
        sample = {"channels": CHANNELS, "size": [SIZE, SIZE], "r": R, "inputs": 2}
        typer.echo(json.dumps({"sample": sample, "operators": found}, indent=2, ensure_ascii=False))
        return
    _print(found)


def _names() -> tuple[str, ...]:
    import fusion_ops

    return fusion_ops.names()


def _description(name: str) -> dict[str, Any]:
    import fusion_ops

    operator = fusion_ops.operator(name)
    choice = fusion_ops.FusionChoice(name, R if operator.reduces else None)
    cost = fusion_ops.cost(choice, (CHANNELS, CHANNELS), CHANNELS, ((SIZE, SIZE), (SIZE, SIZE)))
    return {
        "name": name,
        "formula": operator.formula,
        "reduces": operator.reduces,
        "options": {key: list(values) for key, values in operator.options.items()},
        "params": cost.params,
        "flops": cost.flops,
    }


def _print(found: list[dict[str, Any]]) -> None:
    from rich.table import Table
    from rich.text import Text

    from search.cli.console import stdout_console

    table = Table(box=None, pad_edge=False)
    for heading in ("operator", "r", "formula", "options"):
        table.add_column(heading, overflow="fold")
    for heading in ("parameters", "FLOPs"):
        table.add_column(heading, justify="right", no_wrap=True)
    for entry in found:
        options = "; ".join(f"{key}: {', '.join(values)}" for key, values in entry["options"].items())
        table.add_row(
            entry["name"],
            "yes" if entry["reduces"] else "no",
            Text(entry["formula"]),
            Text(options or "–"),
            f"{entry['params']:,}",
            f"{entry['flops']:,}",
        )
    console = stdout_console()
    console.print(table)
    console.print(
        f"\nCost of one operator with two inputs of {CHANNELS} channels and {SIZE} × {SIZE} positions, r = {R}. "
        "FLOPs are 2 × multiply-adds for one image. The first value of an option is its default.\n\n" + LETTERS,
        highlight=False,
    )
