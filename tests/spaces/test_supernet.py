"""The network of all architectures of a space: each of its paths is the stand-alone network with its weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import fusion_ops
import spaces
from fusion_ops.errors import SpecError
from spaces import Architecture, SearchSpace
from spaces.supernet import Supernet, heir_of_path, path_weights, supernet_params
from tests.spaces.test_conformance import SMALL, every_host, images

SPACES: dict[str, dict[str, Any]] = {
    "resnet": {"depth": 8, "width": 4},
    "fpn": {"width": 4, "levels": 3, "pyramid": 4, "resamplers": ("bilinear", "carafe", "dysample")},
    "unet": {"width": 2, "levels": 2, "blocks": 2, "points": "both", "stem_stride": 1},
    "inception": {"width": 4, "branches": ("conv1", "conv3", "pool")},
    "traced": {"model": "traced_models:residual"},
}


def created(name: str, settings: dict[str, Any]) -> SearchSpace:
    return spaces.create(name, **{"ops": fusion_ops.names(), "reductions": (2, 8)} | SMALL | settings)


def disturbed(supernet: Supernet) -> None:
    """Give every parameter and buffer values of its own, so that no operator is the sum any more."""
    generator = torch.Generator().manual_seed(5)
    for name, tensor in supernet.network.state_dict().items():
        if tensor.is_floating_point():
            draw = torch.rand(tensor.shape, generator=generator)
            tensor.copy_(0.5 + draw if "running_var" in name else 0.4 * draw - 0.2)


def largest_difference(one: Tensor, other: Tensor) -> float:
    return float((one - other).abs().max() / other.abs().max().clamp(min=1e-6))


def stand_alone(space: SearchSpace, architecture: Architecture, supernet: Supernet) -> nn.Module:
    network = space.build(architecture)
    network.load_state_dict(path_weights(space, architecture, supernet.network.state_dict()), strict=True)
    return network.eval()


@pytest.mark.parametrize("name", SPACES)
def test_a_path_is_the_stand_alone_network_with_its_weights_for_every_operator(name: str) -> None:
    settings = SPACES[name] | {"ops": fusion_ops.names(), "reductions": (2, 4)}
    space = created(name, settings)
    supernet = Supernet(space)
    disturbed(supernet)
    supernet.network.eval()
    batch = images(space, 2)
    rng = np.random.default_rng(0)
    everywhere = [slot.choices for slot in space.slots]
    for index in range(max(map(len, everywhere))):
        # Each choice of each slot is there at least once.
        decisions = [choices[(index + shift) % len(choices)] for shift, choices in enumerate(everywhere)]
        architecture = space.chosen(decisions)
        for path in (architecture, space.sample(rng)):
            supernet.choose(path)
            with torch.inference_mode():
                expected = stand_alone(space, path, supernet)(batch)
                assert largest_difference(supernet.network(batch), expected) < 1e-5


@every_host
def test_it_begins_as_the_network_that_it_took_the_weights_of(name: str, settings: dict[str, Any]) -> None:
    space = created(name, settings)
    parent = space.build(space.original()).eval()
    supernet = Supernet(space)
    supernet.take(space.original(), parent.state_dict())
    supernet.network.eval()
    batch = images(space, 2)
    rng = np.random.default_rng(0)
    with torch.inference_mode():
        expected = parent(batch)
        for architecture in (space.original(), *(space.sample(rng) for _ in range(4))):
            supernet.choose(architecture)
            assert largest_difference(supernet.network(batch), expected) < 1e-5


@every_host
def test_its_parameters_are_known_before_it_is_built(name: str, settings: dict[str, Any]) -> None:
    for choices in ({}, {"tie": "all"}, {"ops": ("aff", "sk")}):
        space = created(name, settings | choices)
        supernet = Supernet(space)
        built = sum(parameter.numel() for parameter in supernet.network.parameters() if parameter.requires_grad)
        assert supernet_params(space) == built
        assert supernet_params(space) >= max(space.cost(space.uniform(op)).params for op in space.ops)


def test_its_resamplers_count() -> None:
    space = created("fpn", SPACES["fpn"])
    assert supernet_params(space) == sum(one.numel() for one in Supernet(space).network.parameters())
    bilinear = created("fpn", SPACES["fpn"] | {"resamplers": ("bilinear",)})
    assert supernet_params(bilinear) < supernet_params(space)


def test_heirs_of_a_path_have_all_its_weights() -> None:
    space = created("fpn", SPACES["fpn"])
    supernet = Supernet(space)
    disturbed(supernet)
    state = supernet.network.state_dict()
    architecture = space.sample(np.random.default_rng(1))
    heir = heir_of_path(space, architecture, state)
    assert heir.inherited == set(heir.network.state_dict())
    # A space of the same network that chooses among other operators does as well.
    other = spaces.from_ref(space.ref)
    again = heir_of_path(other, architecture, state)
    for name, tensor in heir.network.state_dict().items():
        assert torch.equal(tensor, again.network.state_dict()[name])


def test_only_the_weights_of_a_path_learn_from_it() -> None:
    space = created("resnet", SPACES["resnet"] | {"ops": ("sum", "aff", "iaff"), "reductions": (2, 4)})
    supernet = Supernet(space)
    path = space.uniform("aff", 2)
    supernet.choose(path)
    supernet.network(images(space, 4)).square().mean().backward()
    own = set(path_weights(space, path, dict.fromkeys(supernet.network.state_dict(), torch.zeros(()))))
    learning = {name for name, parameter in supernet.network.named_parameters() if parameter.grad is not None}
    for name in learning:
        assert "choice:" not in name or "aff r=2" in name
    assert len(learning) == len(list(space.build(path).parameters()))
    assert own == set(space.build(path).state_dict())


def test_a_choice_that_it_has_not_is_refused() -> None:
    space = created("resnet", SPACES["resnet"] | {"ops": ("sum", "aff"), "reductions": (2,)})
    supernet = Supernet(space)
    wider = created("resnet", SPACES["resnet"] | {"ops": ("sum", "iaff"), "reductions": (2,)})
    with pytest.raises(SpecError, match="iaff r=2"):
        supernet.choose(wider.uniform("iaff"))
    other = created("resnet", {"depth": 14, "width": 4})
    with pytest.raises(SpecError, match="belongs to"):
        supernet.choose(other.original())


@pytest.mark.parametrize("name", ["resnet", "unet"])
def test_choices_that_a_wider_space_has_begin_as_what_the_host_does(name: str) -> None:
    narrow = created(name, SPACES[name] | {"ops": ("sum", "concat"), "reductions": (2,)})
    wider = created(name, SPACES[name] | {"ops": ("sum", "concat", "iaff"), "reductions": (2,)})
    supernet = Supernet(narrow)
    supernet.take(narrow.original(), narrow.build(narrow.original()).state_dict())
    heir = heir_of_path(wider, wider.uniform("iaff"), supernet.network.state_dict())
    batch = images(wider, 2)
    with torch.inference_mode():
        expected = supernet.network.eval()(batch)
        assert largest_difference(heir.network.eval()(batch), expected) < 1e-5
