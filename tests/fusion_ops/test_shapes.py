"""Inputs that do not fit: refused, never broadcast, and the message names every shape."""

import re
from itertools import product

import pytest
import torch
from torch import nn
from torch.nn import functional

import fusion_ops
from fusion_ops import MSCAM, FusionChoice
from fusion_ops.align import Aligned, check_shapes, matched
from fusion_ops.errors import SpecError

CHOICES = [FusionChoice(name, 4 if fusion_ops.operator(name).reduces else None) for name in fusion_ops.names()]
GOOD = (2, 8, 4, 4)
WRONG = [
    (2, 1, 4, 4),  # one channel
    (2, 8, 1, 1),  # one position
    (1, 8, 4, 4),  # other batch
    (2, 8, 0, 4),  # no rows
    (0, 8, 4, 4),  # no images
    (2, 0, 4, 4),  # no channels
    (2, 8, 4),  # fewer dimensions
    (2, 8),  # no space
    (8,),  # a vector
    (2, 8, 4, 4, 4),  # more dimensions
    (2, 7, 4, 4),  # other channels
]


@pytest.mark.parametrize("choice", CHOICES, ids=str)
@pytest.mark.parametrize("in_channels", [(8, 8), (8, 12)], ids=str)
def test_refused_naming_both_shapes(choice: FusionChoice, in_channels: tuple[int, int]) -> None:
    op = fusion_ops.build(choice, in_channels, 8)
    for wrong, place in product(WRONG, (0, 1)):
        good = (2, in_channels[1 - place], 4, 4)
        misfit = (wrong[0], in_channels[place], *wrong[2:]) if wrong[1:2] == (8,) else wrong
        shapes = (misfit, good) if place == 0 else (good, misfit)
        with pytest.raises(SpecError) as caught:
            op(*map(torch.zeros, shapes))
        assert all(str(shape) in str(caught.value) for shape in shapes), shapes
        assert re.search(r"\. [A-Z].*\.$", str(caught.value)), "the message names no fix"


@pytest.mark.parametrize("choice", CHOICES, ids=str)
@pytest.mark.parametrize("count", [1, 3])
def test_refuses_another_number_of_inputs(choice: FusionChoice, count: int) -> None:
    for in_channels in ((8, 8), (8, 12)):
        with pytest.raises(SpecError, match=f"2 feature maps; got {count}"):
            fusion_ops.build(choice, in_channels, 8)(*[torch.zeros(GOOD)] * count)


@pytest.mark.parametrize("choice", CHOICES, ids=str)
@pytest.mark.parametrize("dims", [1, 3])
def test_refuses_maps_of_other_dimensions_than_built_for(choice: FusionChoice, dims: int) -> None:
    """`(B, C, L)` must not pass for an unbatched `(C, H, W)` where B happens to be C."""
    with pytest.raises(SpecError, match=r"dims=2.*\(8, 8, 4"):
        fusion_ops.build(choice, (8, 8), 8)(*[torch.zeros(8, 8, *[4] * dims)] * 2)


@pytest.mark.parametrize("shape", [(2, 7, 4, 4), (2, 8, 4), (2, 8, 0, 4)], ids=str)
def test_mscam_refuses_other_shapes(shape: tuple[int, ...]) -> None:
    with pytest.raises(SpecError, match=re.escape(str(shape))):
        MSCAM(8)(torch.zeros(shape))


@pytest.mark.parametrize(("size", "mode"), [((6,), "linear"), ((6, 5), "bilinear"), ((4, 3, 2), "trilinear")], ids=str)
def test_sizes_are_interpolated_to_the_first(size: tuple[int, ...], mode: str) -> None:
    x, y = torch.randn(2, 8, *size), torch.randn(2, 8, *(2 * n for n in size))
    op = fusion_ops.build(FusionChoice("sum"), (8, 8), 8, dims=len(size))
    torch.testing.assert_close(op(x, y), x + functional.interpolate(y, size=size, mode=mode))
    up = functional.interpolate(x, size=tuple(y.shape[2:]), mode=mode)
    torch.testing.assert_close(op(y, x), y + up)


def test_channels_are_projected_at_their_own_size() -> None:
    op = fusion_ops.build(FusionChoice("sum"), (8, 12), 8)
    x, y = torch.randn(2, 8, 6, 6), torch.randn(2, 12, 3, 3)
    assert isinstance(op, Aligned)
    assert isinstance(op.projections[0], nn.Identity)
    weight = op.projections[1].weight
    assert op.projections[1].bias is None
    projected = torch.einsum("oc,bchw->bohw", weight[:, :, 0, 0], y)
    expected = x + functional.interpolate(projected, size=(6, 6), mode="bilinear")
    torch.testing.assert_close(op(x, y), expected)


def test_matched_returns_the_very_tensors_where_sizes_agree() -> None:
    x, y = torch.zeros(GOOD), torch.zeros(GOOD)
    first, second = matched((x, y), 8, 2)
    assert first is x
    assert second is y


def test_one_position_everywhere_is_fine() -> None:
    check_shapes((torch.zeros(2, 8, 1, 1), torch.zeros(2, 8, 1, 1)), (8, 8))
