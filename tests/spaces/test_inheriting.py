"""A network that begins as its parent computes exactly what that does, in every space and with every operator."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import fusion_ops
import spaces
from spaces import SearchSpace
from spaces.inheriting import build_heir, starts_exactly

SPACES = {
    "resnet": {"depth": 8, "width": 4},
    "fpn": {"width": 4},
    "unet": {"width": 4},
    "inception": {"width": 8},
}


class Own(nn.Module):
    """A network with a sum and a concatenation of feature maps of other channels than the result."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU())
        self.body = nn.Conv2d(6, 6, 3, padding=1)
        self.side = nn.Conv2d(6, 4, 1)
        self.head = nn.Linear(10, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x = torch.relu(self.body(x) + x)
        x = torch.cat([x, self.side(x)], dim=1)
        return self.head(x.mean((2, 3)))


def trained(network: nn.Module) -> nn.Module:
    """Give a network weights and statistics that no fresh one has."""
    torch.manual_seed(3)
    for name, tensor in network.state_dict().items():
        if tensor.is_floating_point():
            tensor.copy_(torch.rand_like(tensor) + 0.5 if "var" in name else torch.randn_like(tensor) * 0.3)
    return network


def outputs(network: nn.Module, x: Tensor, *, training: bool) -> Tensor:
    torch.manual_seed(5)
    with torch.no_grad():
        out: Tensor = network.train(training)(x)
    return out


def space_of(name: str) -> SearchSpace:
    choices = {"ops": list(fusion_ops.names()), "reductions": [2, 4]}
    if name == "traced":
        torch.manual_seed(0)
        return spaces.trace(Own(), torch.zeros(2, 3, 8, 8), **choices)
    return spaces.create(name, num_classes=5, in_channels=3, input_size=(32, 32), **SPACES[name], **choices)


@pytest.mark.parametrize("name", [*SPACES, "traced"])
def test_an_heir_computes_what_its_parent_does_before_its_first_step(name: str) -> None:
    space = space_of(name)
    parent = space.original()
    network = trained(space.build(parent))
    weights = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    x = torch.randn(4, 3, *space.host.input_size)
    expected = {training: outputs(network, x, training=training) for training in (False, True)}
    # Training mode has moved the statistics of the batch norms; the heir begins with those of before.
    for op in space.ops:
        heir = build_heir(space, space.uniform(op), parent, weights)
        assert starts_exactly(space.uniform(op), parent)
        for training, wanted in expected.items():
            found = outputs(heir.network, x, training=training)
            assert (found - wanted).abs().max() <= 1e-5 * wanted.abs().max(), (op, training)


@pytest.mark.parametrize("name", [*SPACES, "traced"])
def test_all_but_other_operators_is_inherited(name: str) -> None:
    space = space_of(name)
    parent = space.original()
    weights = trained(space.build(parent)).state_dict()
    heir = build_heir(space, space.uniform("aff"), parent, weights)
    own = heir.network.state_dict()
    places = tuple(f"{place}." for place in heir.places.values())
    for key, tensor in own.items():
        if not key.startswith(places):
            assert key in heir.inherited
            assert torch.equal(tensor, weights[key])
    assert {key for key in own if key.startswith(places)}.isdisjoint(heir.inherited)


def test_an_operator_that_the_parent_has_too_keeps_its_weights() -> None:
    space = spaces.create("resnet", depth=8, width=4, num_classes=5, in_channels=3)
    parent = space.uniform("aff", 4)
    network = trained(space.build(parent))
    heir = build_heir(space, parent, parent, network.state_dict())
    for key, tensor in heir.network.state_dict().items():
        assert torch.equal(tensor, network.state_dict()[key])
    first = space.points[0].name
    choices = tuple((name, choice if name == first else space.original()[name]) for name, choice in parent.choices)
    mixed = spaces.Architecture(parent.space, choices)
    heir = build_heir(space, mixed, parent, network.state_dict())
    assert {key for key in heir.inherited if key.startswith(f"{heir.places[first]}.")}


def test_resamplers_that_start_otherwise_do_not_start_exactly() -> None:
    space = spaces.create(
        "fpn", num_classes=5, in_channels=3, resamplers=["bilinear", "nearest", "carafe", "dysample", "pixelshuffle"]
    )
    parent = space.original()
    exact = {one: starts_exactly(space.uniform("sum", resampler=one), parent) for one in space.resamplers}
    assert exact == {"bilinear": True, "nearest": False, "carafe": False, "dysample": True, "pixelshuffle": False}
    network = trained(space.build(parent))
    x = torch.randn(2, 3, 32, 32)
    weights = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    wanted = outputs(network, x, training=False)
    for resampler, says in exact.items():
        heir = build_heir(space, space.uniform("sum", resampler=resampler), parent, weights)
        close = (outputs(heir.network, x, training=False) - wanted).abs().max() <= 1e-5 * wanted.abs().max()
        assert bool(close) == says, resampler
