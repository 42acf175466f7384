"""`fusion-nas spaces`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from search.cli.app import app

if TYPE_CHECKING:
    from spaces import SearchSpace


@app.command()
def spaces(
    which: Annotated[
        str | None,
        typer.Argument(metavar="[NAME | CONFIG.yaml]", help="A space by name, or the space of a config."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(metavar="MODULE:FUNCTION", help="A network of your own: the function that returns it."),
    ] = None,
    example: Annotated[
        str, typer.Option(metavar="SHAPE", help="With --model: shape of an input, batch first.")
    ] = "1,3,224,224",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show the search spaces, or the fusion points and size of one.

    Without an argument all spaces are listed, each with its main settings. With a name or a config: every fusion
    point with its choices, the number of architectures, and the cost of each choice made everywhere.

    Examples: fusion-nas spaces; fusion-nas spaces resnet; fusion-nas spaces examples/digits.yaml --json;
    fusion-nas spaces --model my_model:create --example 1,3,64,64
    """
    if model is not None:
        described = _description(_traced(model, example, which))
        typer.echo(json.dumps(described, indent=2)) if as_json else _print(described)
        return
    if which is None:
        found = _all()
        typer.echo(json.dumps(found, indent=2)) if as_json else _print_all(found)
        return
    described = _description(_space(which))
    if as_json:
        typer.echo(json.dumps(described, indent=2))
    else:
        _print(described)


def _all() -> list[dict[str, Any]]:
    import spaces
    from search.config.sections import SpaceConfig
    from search.config.space import resolved_settings

    return [resolved_settings(SpaceConfig(name=name)) for name in spaces.names()]


def _traced(model: str, example: str, which: str | None) -> SearchSpace:
    """Return the space of the user's own network.

    Raises:
        ConfigError: A space was named, too, or the example is no shape.
    """
    import spaces
    from fusion_ops.errors import ConfigError
    from spaces.importing import make_importable

    if which is not None:
        raise ConfigError(f"give a space or `--model`, not both; got {which} and {model}.")
    try:
        shape = [int(part) for part in example.split(",")]
    except ValueError:
        raise ConfigError(f"`--example` is a shape like 1,3,224,224; got {example!r}.") from None
    make_importable(Path.cwd())
    return spaces.create("traced", model=model, example=shape)


def _space(which: str) -> SearchSpace:
    """Return the space of a config file, or the one of that name with its default settings."""
    import spaces

    if which in spaces.names() or not (Path(which).exists() or which.endswith((".yaml", ".yml"))):
        return spaces.create(which)
    from search.config import SearchConfig
    from search.training import data

    config = SearchConfig.load(which)
    return config.stated_space() or config.create_space(data.load(config.data))


def _description(space: SearchSpace) -> dict[str, Any]:
    return {
        "space": space.ref.to_dict(),
        "ops": list(space.ops),
        "reductions": list(space.reductions),
        "tie": space.tie,
        "size": space.size(),
        "points": [
            {
                "name": point.name,
                "kind": point.kind,
                "stage": point.stage,
                "in_channels": list(point.in_channels),
                "out_channels": point.out_channels,
                "sizes": [list(size) for size in point.sizes],
                "choices": [str(choice) for choice in slot.choices],
            }
            for slot in space.slots
            for point in slot.points
        ],
        "uniform": _uniform(space),
    }


def _uniform(space: SearchSpace) -> list[dict[str, Any]]:
    """Return the cost of one choice everywhere, for every choice, in ascending order of parameters.

    Ratios that give the same network are one choice.
    """
    import fusion_ops

    rows, seen = [], set()
    for op in space.ops:
        for r in space.reductions if fusion_ops.operator(op).reduces else (None,):
            architecture = space.uniform(op, r)
            if architecture not in seen:
                seen.add(architecture)
                cost = space.cost(architecture)
                name = str(fusion_ops.FusionChoice(op, r))
                rows.append({"choice": name, "params": cost.params, "flops": cost.flops})
    return sorted(rows, key=lambda row: (row["params"], row["flops"]))


def _print_all(found: list[dict[str, Any]]) -> None:
    for settings in found:
        typer.echo(settings["name"])
        for key, value in settings.items():
            if key != "name":
                typer.echo(f"  {key}: {json.dumps(value) if isinstance(value, list) else value}")
    typer.echo("Classes, channels and size of the images are taken from the data set.")


def _print(described: dict[str, Any]) -> None:
    from rich.table import Table

    from search.cli.console import stdout_console

    console = stdout_console()
    points = Table("fusion point", "kind", "inputs", "output", "choices", box=None, pad_edge=False)
    for point in described["points"]:
        inputs = " + ".join(map(_shape, point["in_channels"], point["sizes"]))
        output = _shape(point["out_channels"], point["sizes"][0])
        points.add_row(point["name"], point["kind"], inputs, output, ", ".join(point["choices"]))
    console.print(points)
    uniform = Table(box=None, pad_edge=False)
    uniform.add_column("the same everywhere")
    for heading in ("parameters", "FLOPs"):
        uniform.add_column(heading, justify="right")
    for row in described["uniform"]:
        uniform.add_row(row["choice"], f"{row['params']:,}", f"{row['flops']:,}")
    console.print()
    console.print(uniform)
    console.print(
        f"\n{described['size']:,} architectures, {len(described['points'])} fusion points "
        f"(tie: {described['tie']}). FLOPs are 2 × multiply-adds for one image.",
        highlight=False,
    )


def _shape(channels: int, size: list[int]) -> str:
    return " × ".join(map(str, (channels, *size)))
