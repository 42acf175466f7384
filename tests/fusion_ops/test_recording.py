"""Weights of operators: they are what an operator weighs by, and their variance adds up."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

import fusion_ops
from fusion_ops import FusionChoice, FusionOperator
from fusion_ops.errors import SpecError
from fusion_ops.spread import BINS, HistogramTally, SpreadTally
from tests.fusion_ops.test_conformance import CHOICES, C
from tests.fusion_ops.test_references import shaken

UNWEIGHTED = {"sum", "concat", "parsenet", "product"}
WEIGHTED = [choice for choice in CHOICES if choice.op not in UNWEIGHTED]
PER_IMAGE = {"sk", "split_attention", "eca", "modulate", "gated"}  # one weight for all positions
FIXED = {"bifpn", "scaled_sum", "scaled", "softmax"}  # one for all images, too


def made(choice: FusionChoice, inputs: int = 2, dims: int = 2) -> FusionOperator:
    op = shaken(fusion_ops.build(choice, (C,) * inputs, C, dims=dims)).eval()
    assert isinstance(op, FusionOperator)
    return op


def maps(inputs: int, dims: int = 2) -> list[Tensor]:
    return [torch.randn(4, C, *(5, 3, 2)[:dims], dtype=torch.float64) for _ in range(inputs)]


@pytest.mark.parametrize("choice", WEIGHTED, ids=str)
@pytest.mark.parametrize("dims", [1, 2, 3])
@pytest.mark.parametrize("inputs", [2, 3])
def test_weights_are_what_an_operator_weighs_by(choice: FusionChoice, inputs: int, dims: int) -> None:
    op, features = made(choice, inputs, dims), maps(inputs, dims)
    weights = op.input_weights(*features)
    assert weights is not None
    assert len(weights) == inputs
    fused = sum(weight * x for weight, x in zip(weights, features, strict=True))
    torch.testing.assert_close(op(*features), fused)


@pytest.mark.parametrize("op", sorted(UNWEIGHTED))
def test_what_has_no_weights_says_so_and_is_left_out(op: str) -> None:
    module = fusion_ops.build(FusionChoice(op), (C, C), C).eval()
    assert isinstance(module, FusionOperator)
    assert module.input_weights(*(x.float() for x in maps(2))) is None
    with fusion_ops.recorded_weights(module) as record:
        module(*(x.float() for x in maps(2)))
    assert record.spreads() == {}


@pytest.mark.parametrize("choice", WEIGHTED, ids=str)
def test_recording_changes_nothing_and_ends(choice: FusionChoice) -> None:
    op, features = made(choice), maps(2)
    before = copy.deepcopy(op.state_dict())
    expected = op(*features)
    with fusion_ops.recorded_weights(op) as record:
        assert torch.equal(op(*features), expected)
    spreads = record.spreads()
    assert all(torch.equal(value, before[key]) for key, value in op.state_dict().items())
    op(*[3 * x for x in features])
    assert record.spreads() == spreads
    assert not op._forward_hooks


@pytest.mark.parametrize("choice", WEIGHTED, ids=str)
def test_spread_is_that_of_all_weights_together(choice: FusionChoice) -> None:
    """Batches of unequal size, against one table of all weights."""
    op, features = made(choice, 3), maps(3)
    with fusion_ops.recorded_weights(nn.Sequential(op)) as record:
        op(*(x[:1] for x in features))
        op(*(x[1:] for x in features))
    (spreads,) = record.spreads().values()
    assert list(record.spreads()) == ["0"]
    for weight, spread in zip(op.input_weights(*features) or (), spreads, strict=True):
        table = weight.expand(features[0].shape).flatten(2) if weight.ndim else weight.expand(4, C, 15)
        by_image = table.mean(dim=2)
        by_channel = by_image.mean(dim=0)
        near = {"rel": 1e-9, "abs": 1e-12}
        assert spread.constants == pytest.approx(by_channel.expand(C).tolist()[: len(spread.constants)], **near)
        assert spread.mean == pytest.approx(table.mean().item(), **near)
        assert spread.std == pytest.approx(table.std(correction=0).item(), **near)
        assert spread.channels == pytest.approx(by_channel.var(correction=0).item(), **near)
        assert spread.images == pytest.approx(by_image.var(dim=0, correction=0).mean().item(), **near)
        assert spread.positions == pytest.approx(table.var(dim=2, correction=0).mean().item(), **near)
        assert spread.varying == pytest.approx((table - by_channel[:, None]).square().mean().sqrt().item(), **near)
        if spread.std > 1e-6:
            assert sum(spread.shares().values()) == pytest.approx(1)


@pytest.mark.parametrize("choice", WEIGHTED, ids=str)
def test_what_weights_depend_on_shows(choice: FusionChoice) -> None:
    op = made(choice)
    with fusion_ops.recorded_weights(op) as record:
        op(*maps(2))
    varying = [spread for spread in record.spreads()[""] if spread.std > 1e-4]  # a gating input has weight 1
    if choice.op == "bifpn" or (choice.op == "scaled" and ("per", "channel") not in choice.options):
        assert not varying
        return
    assert varying
    for spread in varying:
        assert (spread.images > 1e-6) == (choice.op not in FIXED)
    local = choice.op not in PER_IMAGE | FIXED and ("context", "global") not in choice.options
    assert any(spread.positions > 1e-6 for spread in varying) == local


def test_maps_of_other_sizes_are_matched_first() -> None:
    op = made(FusionChoice("asff"))
    large, small = maps(1)[0], torch.randn(4, C, 2, 2, dtype=torch.float64)
    with fusion_ops.recorded_weights(op) as record:
        op(large, small)
    first, second = record.spreads()[""]
    assert first.mean + second.mean == pytest.approx(2)


def test_half_precision_and_constants() -> None:
    tally = SpreadTally()
    for size in (1, 3):
        tally.add(torch.full((size, 2, 3, 3), 0.7, dtype=torch.bfloat16), size)
    spread = tally.spread()
    assert spread.mean == pytest.approx(0.7, abs=2e-3)
    assert spread.varying < 1e-7
    assert fusion_ops.Spread((1.0, 1.0), 0.0, 0.0).shares() == {"channels": 0, "images": 0, "positions": 0}


def test_training_mode_is_refused_with_advice_that_works() -> None:
    op, features = made(FusionChoice("aff", 2)).train(), maps(2)
    with pytest.raises(SpecError, match=r"call `network.eval\(\)` first"), fusion_ops.recorded_weights(op):
        op(*features)
    with fusion_ops.recorded_weights(op.eval()) as record:
        op(*features)
    assert record.spreads()


def test_histograms_count_every_weight_alike_whatever_the_batches() -> None:
    """Of weights per image, channel or position, in batches of any size; what is beyond an end counts there."""
    torch.manual_seed(0)
    whole = torch.rand(6, 3, 4, 4) * 2
    tally, expected = HistogramTally(2), torch.histc(whole, BINS, 0, 2) / whole.numel()
    for part in whole.split((1, 5)):
        tally.add(part, len(part))
    assert tally.shares() == pytest.approx(expected.tolist())
    wide = HistogramTally(2)
    wide.add(torch.tensor([-1.0, 5.0]).view(1, 2, 1, 1), 4)  # one for all images
    assert (wide.shares()[0], wide.shares()[-1]) == (0.5, 0.5)
    op, features = made(FusionChoice("scaled_sum")), maps(2)
    with fusion_ops.recorded_weights(op) as record:
        op(*features)
    ((first, second),) = record.histograms().values()
    assert sum(first) == pytest.approx(1)
    scales = op.scales.detach().float()
    for found, own in zip((first, second), scales, strict=True):
        assert found == pytest.approx((torch.histc(own.clamp(0, 2), BINS, 0, 2) / C).tolist())
