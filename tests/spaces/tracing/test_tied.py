"""Tensors under several names: counted, written and trained once."""

from __future__ import annotations

import torch
from torch import nn

import spaces
from spaces.tied import completed, distinct
from tests.spaces.tracing.tied_models import TWICE, Tied, Words


def test_costs_count_a_tied_tensor_once_and_a_layer_that_runs_twice_twice() -> None:
    space = spaces.trace(Tied(1, 4, 3), torch.randn(1, 1, 8, 8))
    architecture = space.uniform("sum")
    cost = space.cost(architecture)
    assert cost.params == (9 * 4 + 4) + 9 * 16 + (9 * 16 + 8) + 4 + (4 * 3 + 3)
    assert cost.flops == 2 * 64 * (9 * 4 + 4 * 9 * 16) + 2 * 4 * 3
    assert cost.params == sum(parameter.numel() for parameter in space.build(architecture).parameters())


def test_what_is_built_is_tied_as_the_original_is() -> None:
    space = spaces.trace(Tied(1, 4, 3), torch.randn(1, 1, 8, 8))
    host = space.build(space.uniform("aff", 4)).host
    assert host.first.weight is host.second.weight
    assert host.blocks[0] is host.blocks[1]
    assert host.shift is host.offset
    assert host.scale is host.factor


def test_tied_embeddings() -> None:
    model = Words()
    space = spaces.trace(model, torch.randint(0, 12, (1, 5, 5)))
    assert [point.name for point in space.points] == ["add"]
    assert space.cost(space.uniform("sum")).params == 12 * 4 + 9 * 16 + 4
    assert list(distinct(model.state_dict())) == ["embedding.weight", "conv.weight", "conv.bias"]


def test_shared_names_are_left_out_and_come_back() -> None:
    network = Tied(1, 4, 3)
    state = network.state_dict()
    kept = distinct(state)
    assert state.keys() - kept.keys() == TWICE
    again = completed({name: tensor.clone() for name, tensor in kept.items()}, state)
    assert again.keys() == state.keys()
    assert all(torch.equal(again[name], state[name]) for name in state)
    assert again["second.weight"] is again["first.weight"]


def test_views_of_one_memory_and_other_layouts_become_tensors_of_their_own() -> None:
    both = torch.arange(8.0)
    image = torch.randn(2, 3, 4, 4).to(memory_format=torch.channels_last)
    kept = distinct({"both": both, "half": both[:4], "image": image, "empty": torch.empty(0), "none": torch.empty(0)})
    assert list(kept) == ["both", "half", "image", "empty", "none"]
    kept["half"][0] = 9
    assert both[0] == 0
    assert kept["image"].is_contiguous()
    assert torch.equal(kept["image"], image)


def test_names_of_a_network_that_is_not_tied_stay_missing() -> None:
    first, second = nn.Linear(2, 2), nn.Linear(2, 2)
    state = {"a": first.weight, "b": second.weight}
    assert completed({"a": first.weight}, state).keys() == {"a"}
