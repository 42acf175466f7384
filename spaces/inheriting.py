"""A network that begins as another one of its space: with the weights of what they share, its operators as the sum.

Every operator can start as the exact sum of its inputs (`init="sum"`), and where the host concatenates, as the exact
concatenation. So a network with other operators begins with the very outputs of a trained one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from spaces.architecture import Architecture
from spaces.operator_paths import build_with_paths
from spaces.space import SearchSpace
from spaces.tied import completed

__all__ = ["Heir", "begin_as_concatenation", "build_heir", "starts_exactly"]

# Resamplers that start as the exact bilinear interpolation, where sizes are whole multiples.
AS_BILINEAR = ("bilinear", "dysample")
PROJECTIONS = "projections"


@dataclass(frozen=True)
class Heir:
    """A network that begins as another one.

    Args:
        network: The network.
        inherited: Names of the parameters and buffers that it has from the other one.
        places: By name of the fusion point, the path of what stands there among the modules.
    """

    network: nn.Module
    inherited: frozenset[str]
    places: Mapping[str, str]


def starts_exactly(architecture: Architecture, parent: Architecture) -> bool:
    """Return whether a network that begins as its parent computes what that does, before its first step.

    It does wherever resamplers are those of the parent, or start as they do.
    """
    pairs = ((choice.resampler, parent[point].resampler) for point, choice in architecture.choices)
    return all(one == other or (one in AS_BILINEAR and other == AS_BILINEAR[0]) for one, other in pairs)


def build_heir(
    space: SearchSpace, architecture: Architecture, parent: Architecture, weights: Mapping[str, Tensor]
) -> Heir:
    """Construct the network of an architecture as it begins from its parent's weights.

    Everything but the operators has the parent's parameters and buffers. An operator that the parent has, too, has
    its weights; any other one starts as the sum of its inputs or, where the host concatenates, as their
    concatenation: `Σ P_i x_i` with blocks of the identity for `P_i`.

    Args:
        space: A space of both.
        architecture: What is constructed.
        parent: Whose weights they are: the host's own operators, or others that start as the sum.
        weights: The parent's state by name, such as `network.state_dict()`.

    Raises:
        SpecError: An architecture belongs to another host network.
    """
    built = build_with_paths(space, architecture, init="sum")
    network, places = built.network, built.places
    own = network.state_dict()
    weights = completed(weights, own)
    others = tuple(f"{path}." for point, path in places.items() if architecture[point] != parent[point])
    shared = {
        name: tensor
        for name, tensor in weights.items()
        if name in own and own[name].shape == tensor.shape and not name.startswith(others)
    }
    network.load_state_dict(own | shared)
    for point in space.points:
        if point.original.op == "concat" and architecture[point.name].op != "concat":
            begin_as_concatenation(network.get_submodule(places[point.name]))
    return Heir(network, frozenset(shared), places)


def begin_as_concatenation(fusion: nn.Module) -> None:
    """Let the projections in front of an operator put each input's channels where a concatenation has them."""
    projections = getattr(fusion, PROJECTIONS)
    before = 0
    with torch.no_grad():
        for projection in projections:
            channels = projection.in_channels
            nn.init.zeros_(projection.weight)
            nn.init.dirac_(projection.weight[before : before + channels])
            before += channels
