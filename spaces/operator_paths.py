"""A network of a space, and where in it the operator of each fusion point stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from torch import nn

from fusion_ops import FusionOperator, Recipe
from spaces.architecture import Architecture
from spaces.space import SearchSpace

__all__ = ["BuiltNetwork", "build_with_paths"]

Value = TypeVar("Value")


@dataclass(frozen=True)
class BuiltNetwork:
    """A network and its operators.

    Args:
        network: The network, with fresh weights.
        paths: By name of the fusion point, the path of its operator among the modules, in the order of the points;
            the same for every network of this architecture.
        places: By name of the fusion point, the path of all that stands there, projections included: the same for
            every network of the space.
    """

    network: nn.Module
    paths: dict[str, str]
    places: dict[str, str] = field(default_factory=dict)

    def by_point(self, by_path: Mapping[str, Value]) -> dict[str, Value]:
        """Return what is known of operators by their paths, by the names of their points, in the points' order."""
        return {point: by_path[path] for point, path in self.paths.items() if path in by_path}


def build_with_paths(space: SearchSpace, architecture: Architecture, *, init: str = "default") -> BuiltNetwork:
    """Construct the network of an architecture as `SearchSpace.build` does, and find its operators.

    Where channels are aligned, the operator is behind the projections.

    Args:
        space: A space of its host network.
        architecture: The architecture.
        init: `default`, or `sum`: every operator starts as the exact sum of its inputs.

    Raises:
        SpecError: The architecture belongs to another host network.
    """
    made: dict[str, nn.Module] = {}
    recipes = space.fusion_recipes(architecture, init=init)
    kept = {name: Recipe(_keeping(made, name, recipe)) for name, recipe in recipes.items()}
    network = space.host.recipe({**kept, **space.resampler_recipes(architecture)}).build()
    paths = {id(module): path for path, module in network.named_modules()}
    operators = {name: paths[id(_operator(made[name]))] for name in recipes}
    return BuiltNetwork(network, operators, {name: paths[id(made[name])] for name in recipes})


def _keeping(made: dict[str, nn.Module], name: str, recipe: Recipe) -> Callable[[], nn.Module]:
    def make() -> nn.Module:
        made[name] = recipe.build()
        return made[name]

    return make


def _operator(module: nn.Module) -> nn.Module:
    return next((inner for inner in module.modules() if isinstance(inner, FusionOperator)), module)
