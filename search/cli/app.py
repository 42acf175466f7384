"""The application `fusion-nas`; each command is a module beside this one."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["app"]

app = typer.Typer(
    name="fusion-nas",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback()
def fusion_nas(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks; also accepted after the command.")] = False,
) -> None:
    """Search how the feature maps of a vision network should be fused: which operator, where, at what cost.

    Start with: fusion-nas launch examples/digits.yaml --run-dir runs/a
    """
