"""A detector as today's are written: every place where maps meet is found, and the network stays exact."""

from __future__ import annotations

import torch

import spaces
from tests.spaces.tracing.conftest import as_it_is, check_equal, check_trains
from tests.spaces.tracing.detector import create

SHAPE = (1, 3, 32, 32)
NECK = {"cat": (64, 32), "cat2": (32, 16), "cat3": (16, 32), "cat4": (32, 64)}
BLOCKS = {
    "split3.blocks.0.add": "short_skip",
    "split3.cat": "same_layer",
    "split4.blocks.0.add": "short_skip",
    "split4.blocks.1.add": "short_skip",
    "split4.cat": "same_layer",
    "split5.blocks.0.add": "short_skip",
    "split5.cat": "same_layer",
}


def test_every_meeting_is_found_and_exact() -> None:
    torch.manual_seed(0)
    model = create()
    space = spaces.trace(model, torch.randn(SHAPE), exclude=["head"])
    found = {point.name: point for point in space.points}
    assert {name: found[name].in_channels for name in NECK} == NECK
    assert {found[name].kind for name in NECK} == {"long_skip"}
    assert {name: found[name].kind for name in BLOCKS} == BLOCKS
    assert found["pooling.cat"].in_channels == (32,) * 4
    assert not any(name.startswith("head") for name in found)
    check_equal(model, space, SHAPE)
    check_trains(model, space, SHAPE)


def test_a_head_that_works_out_its_cells_is_exact_for_other_batches() -> None:
    torch.manual_seed(0)
    model = create().eval()
    space = spaces.trace(model, torch.randn(SHAPE), exclude=["head"])
    network = space.build(as_it_is(space)).eval()
    for batch in (1, 3):
        x = torch.randn(batch, *SHAPE[1:])
        expected, got = model(x), network(x)
        assert got[0].shape == (batch, 6, 84)
        assert torch.equal(got[0], expected[0])
        assert all(map(torch.equal, got[1], expected[1]))
