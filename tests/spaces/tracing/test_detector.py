"""A detector as today's are written: every place where maps meet is found, and the network stays exact."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import spaces
from tests.spaces.tracing.conftest import as_it_is, check_equal, check_trains
from tests.spaces.tracing.detector import STRIDES, Head, create

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


class StridesKept(Head):
    """Its strides are a buffer, and cells are made of what is in it."""

    def __init__(self, channels: tuple[int, ...]) -> None:
        super().__init__(channels)
        self.register_buffer("strides", torch.tensor(STRIDES))

    def decoded(self, raw: list[Tensor]) -> Tensor:
        pairs = zip(raw, self.strides, strict=True)
        strides = [torch.full((1, one.shape[2] * one.shape[3]), float(stride)) for one, stride in pairs]
        return super().decoded(raw) / torch.cat(strides, 1)


def followed() -> nn.Module:
    return create()


def left_alone() -> nn.Module:
    model = create()
    model.head = StridesKept((16, 32, 64))
    return model


HEADS = [
    (followed, "a concatenation of (…, 6, 8, 8) in `head` (3 alike) is no fusion point: it puts predictions"),
    (left_alone, "module `head` stays as it is, no fusion point is looked for in it: what is done depends on the val"),
]


@pytest.mark.parametrize(("make", "notice"), HEADS)
def test_every_meeting_is_found_and_exact_and_none_in_the_head(make: Callable[[], nn.Module], notice: str) -> None:
    torch.manual_seed(0)
    model = make()
    space = spaces.trace(model, torch.randn(SHAPE))
    found = {point.name: point for point in space.points}
    assert {name: found[name].in_channels for name in NECK} == NECK
    assert {found[name].kind for name in NECK} == {"long_skip"}
    assert {name: found[name].kind for name in BLOCKS} == BLOCKS
    assert found["pooling.cat"].in_channels == (32,) * 4
    assert not any(name.startswith("head") for name in found)
    assert space.notices[0].startswith(notice)
    check_equal(model, space, SHAPE)
    check_trains(model, space, SHAPE)


@pytest.mark.parametrize("make", [followed, left_alone])
def test_a_head_that_works_out_its_cells_is_exact_for_other_batches(make: Callable[[], nn.Module]) -> None:
    torch.manual_seed(0)
    model = make().eval()
    space = spaces.trace(model, torch.randn(SHAPE))
    network = space.build(as_it_is(space)).eval()
    for batch in (1, 3):
        x = torch.randn(batch, *SHAPE[1:])
        expected, got = model(x), network(x)
        assert got[0].shape == (batch, 6, 84)
        assert torch.equal(got[0], expected[0])
        assert all(map(torch.equal, got[1], expected[1]))


def normalised(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1), nn.BatchNorm2d(outputs))


def plain(inputs: int, outputs: int) -> nn.Module:
    return nn.Conv2d(inputs, outputs, 1)


class Predicting(nn.Module):
    """What two layers compute, beside each other, and what is made of it."""

    def __init__(self, layer: Callable[[int, int], nn.Module], widths: tuple[int, int], after: nn.Module) -> None:
        super().__init__()
        self.stem, self.after = nn.Conv2d(3, 8, 3, padding=1), after
        self.layers = nn.ModuleList(layer(8, width) for width in widths)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x).relu()
        return self.after(torch.cat([layer(x) for layer in self.layers], 1))


@pytest.mark.parametrize(
    ("layer", "widths", "after", "points"),
    [
        (plain, (4, 2), nn.Sigmoid(), 0),
        (plain, (4, 2), nn.Conv2d(6, 2, 1).requires_grad_(False), 0),
        (plain, (4, 2), nn.Conv2d(6, 2, 1), 1),
        (plain, (4, 4), nn.Sigmoid(), 1),
        (normalised, (4, 2), nn.Sigmoid(), 1),
    ],
)
def test_predictions_are_told_from_features(layer: Any, widths: tuple[int, int], after: nn.Module, points: int) -> None:
    assert len(spaces.trace(Predicting(layer, widths, after), torch.zeros(1, 3, 8, 8)).points) == points
