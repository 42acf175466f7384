"""One network that holds whatever may stand at the points of a space, with one set of host weights for all.

It is built from the host's own recipe, with a module at each fusion point that holds every choice and runs one of them.
So each architecture of the space is a path through it, and every space has such a network, traced ones too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from fusion_ops import FusionChoice, Recipe
from fusion_ops.errors import SpecError
from spaces.architecture import Architecture
from spaces.inheriting import Heir, begin_as_concatenation
from spaces.operator_paths import build_with_paths
from spaces.point import FusionPoint
from spaces.space import SearchSpace
from spaces.tied import completed

__all__ = ["Alternatives", "Supernet", "heir_of_path", "is_of_choice", "path_weights", "supernet_params"]

# Begins the name of a module that is one of several at its place.
MARK = "choice:"


class Alternatives(nn.Module):
    """What may stand at one place of a network, of which one is chosen: it takes and returns what that does.

    Args:
        modules: By name, what may stand there.
    """

    def __init__(self, modules: Mapping[str, nn.Module]) -> None:
        super().__init__()
        for name, module in modules.items():
            self.add_module(name, module)
        self.chosen = next(iter(modules))

    def forward(self, *inputs: Any) -> Any:
        """Return what the chosen module does."""
        chosen: nn.Module = getattr(self, self.chosen)
        return chosen(*inputs)


class Supernet:
    """The network of all architectures of a space.

    At each point stand the choices of the space and what the host itself does there, so that the network as it is is
    always one of its paths. Each operator starts as the exact sum of its inputs or, where the host concatenates, as
    their concatenation.

    Args:
        space: The space.

    Attributes:
        network: The network. Its path is the original one until `choose` is called.
    """

    def __init__(self, space: SearchSpace) -> None:
        self.space = space
        self._alternatives: dict[str, Alternatives] = {}
        places = {place: recipes for point in space.points for place, recipes in _places(space, point).items()}
        recipes = {place: Recipe(self._made, (place, modules)) for place, modules in places.items()}
        self.network: nn.Module = space.host.recipe(recipes).build()
        for point in space.points:
            if point.original.op == "concat":
                for choice in _operators(space, point):
                    if choice.op != "concat":
                        there = self._alternatives[point.name]
                        begin_as_concatenation(there.get_submodule(_key(point.name, choice)))
        self.choose(space.original())

    def choose(self, architecture: Architecture) -> None:
        """Let the network be that of an architecture from now on.

        Raises:
            SpecError: It belongs to another host network, or has a choice that the space has not.
        """
        for place, key in _chosen(self.space, architecture).items():
            alternatives = self._alternatives[place]
            if key not in alternatives._modules:
                wanted = key.removeprefix(MARK)
                raise SpecError(f"`{wanted}` is not among what may stand at {place} of this supernet.")
            alternatives.chosen = key

    def take(self, parent: Architecture, weights: Mapping[str, Tensor]) -> None:
        """Give the path of an architecture the weights of its stand-alone network.

        Args:
            parent: The architecture: the original one, or another one of the space.
            weights: The state of its network by name.
        """
        own = self.network.state_dict()
        keys = set(_chosen(self.space, parent).values())
        names = {name: alone for name in own if (alone := _stand_alone(name, keys)) is not None}
        known = completed(weights, {alone: own[name] for name, alone in names.items()})
        self.network.load_state_dict(own | {name: known[alone] for name, alone in names.items()})

    def _made(self, place: str, modules: Mapping[str, nn.Module]) -> Alternatives:
        self._alternatives[place] = Alternatives(modules)
        return self._alternatives[place]


def path_weights(space: SearchSpace, architecture: Architecture, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return what the stand-alone network of an architecture has of a supernet's state, by its own names.

    Args:
        space: A space of its host network.
        architecture: The architecture, a path of the supernet.
        state: The state of the supernet's network by name.

    Raises:
        SpecError: The architecture belongs to another host network.
    """
    keys = set(_chosen(space, architecture).values())
    named = ((_stand_alone(name, keys), tensor) for name, tensor in state.items())
    return {name: tensor for name, tensor in named if name is not None}


def heir_of_path(space: SearchSpace, architecture: Architecture, state: Mapping[str, Tensor]) -> Heir:
    """Construct the stand-alone network of an architecture with all the weights of its path.

    A choice that the supernet has not, as it was trained before the space was widened, starts as the exact sum of its
    inputs or, where the host concatenates, as their concatenation.

    Args:
        space: A space of its host network.
        architecture: The architecture, a path of the supernet.
        state: The state of the supernet's network by name.

    Raises:
        SpecError: The architecture belongs to another host network.
    """
    built = build_with_paths(space, architecture, init="sum")
    own = built.network.state_dict()
    weights = completed(path_weights(space, architecture, state), own)
    built.network.load_state_dict(own | weights)
    for point in space.points:
        place, fuses = built.places[point.name], architecture[point.name].op != "concat"
        if point.original.op == "concat" and fuses and not any(name.startswith(f"{place}.") for name in weights):
            begin_as_concatenation(built.network.get_submodule(place))
    return Heir(built.network, frozenset(weights), built.places)


def is_of_choice(name: str) -> bool:
    """Return whether a tensor of a supernet belongs to one of several choices at a place, given its name."""
    return any(part.startswith(MARK) for part in name.split("."))


def supernet_params(space: SearchSpace) -> int:
    """Return the exact number of parameters of a space's supernet, without building it."""
    total = space.host.cost().params
    for point in space.points:
        total += sum(point.cost(choice).params for choice in _operators(space, point))
        upsamplings = (point.upsampling(name) for name in _resamplers(space, point))
        total += sum(one.cost().params for one in upsamplings if one is not None)
    return total


def _operators(space: SearchSpace, point: FusionPoint) -> list[FusionChoice]:
    """Return the operators that may stand at a point, what the host itself does there among them."""
    slot = next(slot for slot in space.slots if point in slot.points)
    return list(dict.fromkeys((point.original, *(choice.operator for choice in slot.choices))))


def _resamplers(space: SearchSpace, point: FusionPoint) -> list[str]:
    """Return the resamplers that may stand before a point; none where there is nothing to do for them."""
    return [] if point.before is None else list(dict.fromkeys((point.original.resampler, *space.resamplers)))


def _places(space: SearchSpace, point: FusionPoint) -> dict[str, dict[str, Recipe]]:
    """Return, for the operator of a point and its resampler, what may stand there, by the names of modules."""
    operators = {_key(point.name, one): point.recipe(one, init="sum") for one in _operators(space, point)}
    upsamplings = {name: point.upsampling(name) for name in _resamplers(space, point)}
    resamplers = {_key(point.resampler_name, name): one.recipe() for name, one in upsamplings.items() if one}
    return {point.name: operators} | ({point.resampler_name: resamplers} if resamplers else {})


def _chosen(space: SearchSpace, architecture: Architecture) -> dict[str, str]:
    """Return the name of the module that an architecture has at each place."""
    if architecture.space != space.ref:
        raise SpecError(f"the architecture belongs to {architecture.space.to_dict()}, not to {space.ref.to_dict()}.")
    chosen = {}
    for point in space.points:
        choice = architecture[point.name]
        chosen[point.name] = _key(point.name, choice.operator)
        if point.before is not None:
            chosen[point.resampler_name] = _key(point.resampler_name, choice.resampler)
    return chosen


def _key(place: str, choice: FusionChoice | str) -> str:
    """Return the name of a module; names of modules have no dots."""
    return MARK + f"{place} {choice}".replace("%", "%25").replace(".", "%2E")


def _stand_alone(name: str, keys: set[str]) -> str | None:
    """Return the name that a tensor of the supernet has in a stand-alone network, `None` where that lacks it.

    Args:
        name: Its name in the supernet.
        keys: Names of the modules that the stand-alone network has where the supernet has several.
    """
    parts = name.split(".")
    if any(part.startswith(MARK) and part not in keys for part in parts):
        return None
    return ".".join(part for part in parts if part not in keys)
