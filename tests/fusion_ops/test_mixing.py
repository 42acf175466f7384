"""Weights from logits: a softmax whose last logit is 0, in the layout of its maps."""

import pytest
import torch

from fusion_ops.mixing import between, portions, total, weighted_mean, weighted_sum


@pytest.mark.parametrize("inputs", [2, 3, 5])
@pytest.mark.parametrize("size", [1, 100], ids=["near", "far"])
def test_portions_are_a_softmax(inputs: int, size: float) -> None:
    logits = (size * torch.randn(2, (inputs - 1) * 4, 3, 3)).requires_grad_()
    stacked = torch.stack([*logits.chunk(inputs - 1, 1), torch.zeros(2, 4, 3, 3)])
    ours = torch.stack(portions(logits, inputs))
    expected = stacked.softmax(0)[:-1]
    torch.testing.assert_close(ours, expected)
    weight = torch.randn_like(expected)
    (mine,) = torch.autograd.grad((weight * ours).sum(), logits)
    (theirs,) = torch.autograd.grad((weight * expected).sum(), logits)
    torch.testing.assert_close(mine, theirs)


@pytest.mark.parametrize("inputs", [2, 3])
def test_portions_keep_channels_last(inputs: int) -> None:
    logits = torch.randn(2, (inputs - 1) * 4, 3, 3).contiguous(memory_format=torch.channels_last)
    for portion in portions(logits, inputs):
        assert portion.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("inputs", [2, 3, 4])
def test_zero_logits_give_mean_and_exact_sum(inputs: int) -> None:
    features = [torch.randn(2, 4, 3, 3) for _ in range(inputs)]
    logits, summed = torch.zeros(2, (inputs - 1) * 4, 3, 3), total(features)
    fused = weighted_sum(features, logits, summed)
    assert (fused - summed).abs().max() <= (1e-6 if inputs == 2 else 0)
    torch.testing.assert_close(weighted_mean(features, logits), torch.stack(features).mean(0))


@pytest.mark.parametrize("odd", [0, 1, 2])
def test_mixed_precisions_are_promoted(odd: int) -> None:
    given = [torch.rand(2, 4, 3, 3) for _ in range(3)]
    mixed = [x.bfloat16() if i == odd else x for i, x in enumerate(given)]
    fused = between(*mixed)
    assert fused.dtype == torch.float32
    torch.testing.assert_close(fused, between(*given), rtol=0.02, atol=0.02)
