"""The application `fusion-nas`, and what its commands share; each command is a module beside this one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from search.cli import COMMANDS

__all__ = ["AsJson", "RunDir", "WithTensorBoard", "app", "parse_overrides"]

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
RunDir = Annotated[Path, typer.Argument(help="The run directory.")]
WithTensorBoard = Annotated[
    bool, typer.Option("--tensorboard", help="Write TensorBoard event files into RUN_DIR/tensorboard.")
]


class _InOrder(typer.core.TyperGroup):
    """The commands in the order of `COMMANDS`, whichever module was imported first."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the commands' names."""
        return sorted(super().list_commands(ctx), key=COMMANDS.index)


app = typer.Typer(
    name="fusion-nas",
    cls=_InOrder,
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


def parse_overrides(pairs: Sequence[str] | None) -> dict[str, str]:
    """Return what `--set KEY=VALUE` overrides, by key; the config reads the values as YAML."""
    from fusion_ops.errors import ConfigError

    overrides = {}
    for pair in pairs or ():
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise ConfigError(f"--set takes KEY=VALUE, for example search.trials=8; got {pair!r}.")
        overrides[key.strip()] = value
    return overrides
