"""Weights from logits: a softmax whose last logit is 0, in the layout of its maps."""

import pytest
import torch

from fusion_ops.mixing import differences, portions, total, weighted_mean, weighted_sum


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
    diffs, logits = differences(features), torch.zeros(2, (inputs - 1) * 4, 3, 3)
    assert torch.equal(weighted_sum(total(features), diffs, logits), total(features))
    torch.testing.assert_close(weighted_mean(features[-1], diffs, logits), torch.stack(features).mean(0))
