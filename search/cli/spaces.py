"""`fusion-nas spaces`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from search.cli.app import AsJson, app

if TYPE_CHECKING:
    from spaces import Architecture, JointSpace, SearchSpace


@app.command()
def spaces(
    which: Annotated[
        str | None,
        typer.Argument(metavar="[NAME | CONFIG.yaml]", help="A space by name, or the space of a config."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(metavar="MODULE:FUNCTION", help="The space of the network that this function returns."),
    ] = None,
    example: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SHAPE",
            help="With --model: shape of an input, batch first; 1,3,224,224 by default. Once for each input.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the spaces, or show the fusion points and size of one.

    Without an argument, list all spaces with their settings. With a name, a config or a network, show every fusion
    point with its choices, the number of architectures, and the cost of every choice made at all points.

    Examples: fusion-nas spaces; fusion-nas spaces resnet; fusion-nas spaces examples/digits.yaml --json;
    fusion-nas spaces --model my_model:create --example 1,3,64,64
    """
    from search.cli.console import print_json
    from spaces.joint import joint

    if model is None and which is None:
        listed = _all()
        print_json(listed) if as_json else _print_all(listed)
        return
    space = space_named(str(which)) if model is None else joint(_traced(model, example or ["1,3,224,224"], which))
    described = _description(space.space) | _beside(space)
    print_json(described) if as_json else _print(described)


def _all() -> list[dict[str, Any]]:
    import spaces
    from search.config.sections import SpaceConfig
    from search.config.space import resolved_settings

    return [resolved_settings(SpaceConfig(name=name)) for name in spaces.names()]


def _traced(model: str, examples: Sequence[str], which: str | None) -> SearchSpace:
    """Return the space of a user-defined network.

    Raises:
        ConfigError: A space was named, too, or the example is no shape.
    """
    import spaces
    from fusion_ops.errors import ConfigError
    from spaces.importing import make_importable

    if which is not None:
        raise ConfigError(f"give a space or `--model`, not both; got {which} and {model}.")
    try:
        shapes = [[int(part) for part in example.split(",") if example] for example in examples]
    except ValueError:
        raise ConfigError(f"`--example` is a shape like 1,3,224,224; got {' '.join(examples)!r}.") from None
    make_importable(Path.cwd())
    return spaces.create("traced", model=model, example=shapes)


def space_named(which: str) -> JointSpace:
    """Return the space of a config file, with what it searches beside, or the one of that name with its defaults."""
    import spaces
    from spaces.joint import joint

    if which in spaces.names() or not (Path(which).exists() or which.endswith((".yaml", ".yml"))):
        return joint(spaces.create(which))
    from search.config import SearchConfig
    from search.training import data

    config = SearchConfig.load(which)
    return config.joint_space(config.stated_space() or config.create_space(data.load(config.data)))


def _beside(space: JointSpace) -> dict[str, Any]:
    """Return what is searched beside the choices: by key the values that are proposed, and how many configurations."""
    from search.cli.hyperparameters import searched_beside

    if not space.hyperparameters:
        return {}
    return {
        "hyperparameters": {one.name: one.levels for one in space.hyperparameters},
        "configurations": space.size(),
        "beside": searched_beside(space),
    }


def _description(space: SearchSpace) -> dict[str, Any]:
    return {
        "space": space.ref.to_dict(),
        "ops": space.ops,
        "reductions": space.reductions,
        "tie": space.tie,
        "resamplers": space.resamplers,
        "size": space.size(),
        "points": [
            asdict(point)
            | {
                "choices": [str(choice) for choice in dict.fromkeys(choice.operator for choice in slot.choices)],
                "resamplers": () if point.before is None else slot.resamplers,
            }
            for slot in space.slots
            for point in slot.points
        ],
        "uniform": _uniform(space),
        "notices": space.notices,
    }


def _uniform(space: SearchSpace) -> list[dict[str, Any]]:
    """Return the cost of every choice made at all points, in ascending order of parameters.

    Ratios that give the same network are one choice. Where there are several resamplers, the first operator is there
    with each of them, all others with the one that uniform networks have.
    """
    import fusion_ops

    usual = next((slot.choice(space.ops[0], None).resampler for slot in space.slots if slot.resamplers), "bilinear")
    names: dict[Architecture, str] = {}
    for op in space.ops:
        for r in space.reductions if fusion_ops.operator(fusion_ops.variant(op).op).reduces else (None,):
            names.setdefault(space.uniform(op, r), str(fusion_ops.FusionChoice.named(op, r).after(usual)))
    for resampler in space.resamplers:
        architecture = space.uniform(space.ops[0], None, resampler)
        choice = next(choice for _, choice in reversed(architecture.choices) if choice.resampler == resampler)
        names.setdefault(architecture, str(choice))
    rows = [{"choice": name, **asdict(space.cost(architecture))} for architecture, name in names.items()]
    return sorted(rows, key=lambda row: (row["params"], row["flops"]))


def _print_all(listed: list[dict[str, Any]]) -> None:
    for settings in listed:
        typer.echo(settings.pop("name"))
        for key, value in settings.items():
            typer.echo(f"  {key}: {value if isinstance(value, str) else json.dumps(value)}")
    typer.echo("Classes, channels and size of the images are taken from the data set.")


def _print(described: dict[str, Any]) -> None:
    from search.cli.console import print_table, print_text
    from spaces.space import DEFAULT_RESAMPLERS

    several = described["resamplers"] != DEFAULT_RESAMPLERS
    points = [
        (
            point["name"],
            point["kind"],
            " + ".join(map(_shape, point["in_channels"], point["sizes"])),
            _shape(point["out_channels"], point["sizes"][0]),
            ", ".join(point["choices"]),
            *((", ".join(point["resamplers"]) or "–",) if several else ()),
        )
        for point in described["points"]
    ]
    headings = ("fusion point", "kind", "inputs", "output", "choices", *(("resampler",) if several else ()))
    print_table(headings, (), points)
    uniform = [(row["choice"], f"{row['params']:,}", f"{row['flops']:,}") for row in described["uniform"]]
    print_text("")
    print_table(("choice at all points",), ("parameters", "FLOPs"), uniform)
    print_text(
        f"\n{described['size']:,} architectures, {len(points)} fusion points (tie: {described['tie']}). "
        "FLOPs are 2 × multiply-adds for one image."
    )
    if "beside" in described:
        print_text(f"\nSearched beside them: {'; '.join(described['beside'])}.")
    for notice in described["notices"]:
        print_text(f"\nNotice: {notice}")


def _shape(channels: int, size: list[int]) -> str:
    return " × ".join(map(str, (channels, *size)))
