"""What `launch --dry-run` prints: the plan."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import zip_longest
from typing import Any

from rich.console import Console
from rich.table import Table

from fusion_ops.errors import DataError
from search.cli.hyperparameters import searched_beside
from search.cli.power import power_of_launch
from search.cli.strategy import strategy_lines
from search.config import SearchConfig
from search.config.strategy import LIBRARY
from search.run.planning import plan
from search.run.prior import require_prior
from search.run.supernet_room import supernet_in_words
from search.study.strategies.library import library_trainings
from spaces import JointSpace

__all__ = ["print_plan"]


def print_plan(config: SearchConfig) -> None:
    """Print what `launch` would do with a config.

    Raises:
        ConfigError: The config cannot be carried out here.
        DataError: The data set cannot be used. What the config says of the space itself is printed before.
        Infeasible: No architecture meets the constraints.
    """
    table = Table.grid(padding=(0, 2))
    try:
        space, dataset = plan(config)
        require_prior(config)
    except DataError:
        stated = config.stated_space()
        if stated is not None:
            _add_space(table, config.joint_space(stated))
            Console().print(table)
        raise
    table.add_row("data", f"{dataset.name}: {_images(dataset.sizes())}")
    table.add_row("search", f"{config.search.trials} candidates of {_epochs(config.candidate_train.epochs)}")
    for place, line in enumerate(strategy_lines(config)):
        table.add_row("" if place else "strategy", line)
    if config.search.strategy == LIBRARY:
        count = len(library_trainings(space.space, config.search.seed, config.strategy.library_seeds))
        table.add_row("library", f"{count} trainings of {_epochs(config.strategy.library_epochs)} before")
    table.add_row("objectives", ", ".join(config.objectives))
    _add_space(table, space)
    if supernet := supernet_in_words(config, space.space, dataset):
        table.add_row("supernet", supernet)
    for head, line in zip_longest(("power",), power_of_launch(config, dataset), fillvalue=""):
        table.add_row(head, line)
    Console().print(table)


def _epochs(count: int) -> str:
    return "1 epoch" if count == 1 else f"{count:,} epochs"


def _images(sizes: Mapping[str, Any]) -> str:
    """Return how many images there are to train on and to validate on, and of which classes."""
    said = f"{sizes['train']:,} train, {sizes['validation']:,} validation images"
    least, most = sizes.get("images_a_class", {}).get("train", (None, None))
    return said if least is None else f"{said}, to train on {least:,} to {most:,} a class"


def _add_space(table: Table, joint: JointSpace) -> None:
    space = joint.space
    table.add_row("space", f"{space.name}, {len(space.points)} fusion points, {space.size():,} architectures")
    for index, line in enumerate(searched_beside(joint)):
        table.add_row("" if index else "beside", line)
    for architecture in space.baselines():
        cost = space.cost(architecture)
        name = str(architecture.choices[0][1])
        table.add_row(f"all {name}", f"{cost.params:,} parameters, {cost.flops:,} FLOPs")
