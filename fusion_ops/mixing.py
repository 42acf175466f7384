"""Weighted sums of feature maps, the weights given by logits, without a pass over memory too many.

`N − 1` logits `a_1 … a_{N−1}` stand for the inputs `x_1 … x_{N−1}`; the last input's logit is 0. With
`p = softmax(a_1, …, a_{N−1}, 0)` and the differences `d_i = x_i − x_N`,

    Σ_i p_i x_i   = x_N + Σ_{i<N} p_i d_i
    N·Σ_i p_i x_i = Σ_i x_i + Σ_{i<N} (N p_i − 1) d_i

so the last weight is never computed, the sum that the attention has read already is used again, and zero
logits give exactly the sum, to the last bit. For two inputs `p_1 = σ(a)`, the mean is an interpolation between
them, which keeps nothing for the backward pass but the weight, and `2 p_1 − 1` is never written to memory.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from fusion_ops.align import convolve
from fusion_ops.spelling import is_plain

__all__ = [
    "between",
    "in_parts",
    "plus_product",
    "plus_weighted",
    "portioned_sum",
    "portions",
    "selected",
    "softmax_sum",
    "softmax_weights",
    "total",
    "total_weights",
    "weighted_mean",
    "weighted_sum",
]


def total(features: Sequence[Tensor]) -> Tensor:
    """Return `Σ_i x_i`."""
    result = features[0]
    for feature in features[1:]:
        result = result + feature
    return result


def in_parts(tensor: Tensor, parts: int) -> tuple[Tensor, ...]:
    """Return the channels of `(B, parts·C, *size)` in equal parts `(B, C, *size)`.

    Plainly spelled they are slices, each an operation of one result: what returns a list ends a block that a delegate
    of ExecuTorch takes over, and its verifier then takes the batch for a constant.
    """
    if parts == 1:
        return (tensor,)
    if not is_plain():
        return tensor.chunk(parts, dim=1)
    each = tensor.shape[1] // parts
    return tuple(tensor[:, part * each : (part + 1) * each] for part in range(parts))


def portions(logits: Tensor, inputs: int) -> tuple[Tensor, ...]:
    """Return the softmax over `(a_1, …, a_{N−1}, 0)`, without its last entry.

    It is written out because `softmax` over a stack would bring channels-last maps out of their layout.

    Args:
        logits: `(B, (N − 1)·C, *size)`, input by input.
        inputs: N.
    """
    if inputs == 2:
        return (torch.sigmoid(logits),)
    parts = in_parts(logits, inputs - 1)
    known = parts if is_plain() else [part.detach() for part in parts]  # the peak cancels out, and so does its gradient
    peak = known[0].clamp(min=0)
    for part in known[1:]:
        peak = torch.maximum(peak, part)
    shares = [torch.exp(part - peak) for part in parts]
    whole = total([*shares, torch.exp(-peak)])
    return tuple(_as(share / whole, logits.dtype) for share in shares)


def total_weights(logits: Tensor, inputs: int, times: int) -> tuple[Tensor, ...]:
    """Return `times·p_i` of all N inputs: what `weighted_mean` (once) and `weighted_sum` (N times) weigh by.

    Args:
        logits: `(B, (N − 1)·C, *size)`, or of one position.
        inputs: N.
        times: What the weights sum to.
    """
    shares = portions(logits, inputs)
    return tuple(times * share for share in (*shares, 1 - total(shares)))


def softmax_weights(logits: Tensor | Sequence[Tensor], times: int) -> tuple[Tensor, ...]:
    """Return `times·softmax_i(a_i)` of all N inputs: what `softmax_sum` weighs by, from the same logits."""
    if not isinstance(logits, Tensor):
        return tuple(times * share for share in _shares(logits))
    weights = times * logits.softmax(dim=1)
    return in_parts(weights.flatten(1, 2), logits.shape[1]) if is_plain() else weights.unbind(dim=1)


def _shares(logits: Sequence[Tensor]) -> list[Tensor]:
    """Return the softmax over N maps of logits, which are never brought into one tensor."""
    if len(logits) == 2:
        first, last = logits
        return [torch.sigmoid(first - last), torch.sigmoid(last - first)]
    peak = logits[0]
    for logit in logits[1:]:
        peak = torch.maximum(peak, logit)
    shares = [torch.exp(logit - peak) for logit in logits]
    whole = total(shares)
    return [share / whole for share in shares]


def selected(convolution: nn.Conv1d | nn.Conv2d | nn.Conv3d, x: Tensor, inputs: int) -> Tensor | Sequence[Tensor]:
    """Return the logits of N inputs as `softmax_sum` takes them, by one convolution to N·C channels, group by group.

    Plainly spelled each input has its part of the convolution. Parts of weights are constants to a converter; parts of
    a map are reshapes and slices of an open batch, which end a block that a delegate of ExecuTorch takes over. Each
    part is an operation of one result: IREE takes no operation of several.

    Args:
        convolution: With a bias, in K groups of N·C/K channels each.
        x: Its input.
        inputs: N.
    """
    groups, channels = convolution.groups, convolution.out_channels // convolution.groups // inputs
    if is_plain():
        weight, bias = (p.reshape(groups, inputs, channels, *p.shape[1:]) for p in convolution.parameters())
        return [convolve(x, weight[:, at].flatten(0, 1), bias[:, at].flatten(), groups=groups) for at in range(inputs)]
    logits = convolution(x)
    if groups == 1:
        whole: Tensor = logits.unflatten(1, (inputs, channels))
        return whole
    by_input: Tensor = logits.unflatten(1, (groups, inputs, channels)).transpose(1, 2).flatten(2, 3)
    return by_input


def plus_product(base: Tensor, weight: Tensor, feature: Tensor) -> Tensor:
    """Return `base + weight·feature` in the fewest passes over memory.

    `addcmul` reads and writes least, but its backward pass multiplies both factors by a constant 1 first: where a
    gradient is to come, two plain operations are faster, up to three times.
    """
    if torch.is_grad_enabled() or base.dtype != feature.dtype or is_plain():
        return base + weight * feature
    return torch.addcmul(base, weight, feature)


def between(first: Tensor, last: Tensor, weight: Tensor) -> Tensor:
    """Return `w·x_1 + (1 − w)·x_2`: one pass over memory where all are of one precision."""
    if first.dtype == last.dtype == weight.dtype and not is_plain():
        return torch.lerp(last, first, weight)
    return last + weight * (first - last)


def weighted_mean(features: Sequence[Tensor], logits: Tensor) -> Tensor:
    """Return `Σ_i p_i x_i`.

    Args:
        features: N maps `(B, C, *size)`.
        logits: `(B, (N − 1)·C, *size)`, or of one position.
    """
    *others, last = features
    shares = portions(logits, len(features))
    if len(others) == 1:
        return between(others[0], last, shares[0])
    mean = last
    for share, feature in zip(shares, others, strict=True):
        mean = plus_product(mean, share, feature - last)
    return mean


def weighted_sum(features: Sequence[Tensor], logits: Tensor, summed: Tensor) -> Tensor:
    """Return `N·Σ_i p_i x_i`.

    Args:
        features: N maps `(B, C, *size)`.
        logits: `(B, (N − 1)·C, *size)`, or of one position.
        summed: `Σ_i x_i`.
    """
    inputs = len(features)
    *others, last = features
    if inputs == 2:
        diff = others[0] - last
        if is_plain():
            return 2 * (last + torch.sigmoid(logits) * diff)
        return torch.add(summed, torch.sub(torch.sigmoid(logits) * diff, diff, alpha=0.5), alpha=2)
    result = summed
    for share, feature in zip(portions(logits, inputs), others, strict=True):
        result = plus_product(result, share * inputs - 1, feature - last)
    return result


def portioned_sum(features: Sequence[Tensor], weights: Sequence[Tensor]) -> Tensor:
    """Return `Σ_i w_i x_i` in the precision of the features.

    Args:
        features: N maps `(B, C, *size)`.
        weights: N weights that are broadcast over them: numbers, per channel, or per position.
    """
    return plus_weighted(features[0] * _as(weights[0], features[0].dtype), features[1:], weights[1:])


def plus_weighted(base: Tensor, features: Sequence[Tensor], weights: Sequence[Tensor]) -> Tensor:
    """Return `base + Σ_i w_i x_i` in the precision of the features; see `portioned_sum`."""
    for feature, weight in zip(features, weights, strict=True):
        base = plus_product(base, _as(weight, feature.dtype), feature)
    return base


def softmax_sum(features: Sequence[Tensor], logits: Tensor | Sequence[Tensor], times: int) -> Tensor:
    """Return `times·Σ_i p_i x_i`, `p = softmax_i(a_i)`, where every input has a logit of its own.

    Args:
        features: N maps `(B, C, *size)`.
        logits: `(B, N, C, 1, …)` for weights per channel, `(B, N, 1, *size)` for weights per position; or N maps
            without the second of these dimensions.
        times: What the weights sum to.
    """
    return portioned_sum(features, softmax_weights(logits, times))


def _as(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    """Return a tensor in a precision; where it has it, without a conversion that would stand in an exported program."""
    return tensor if tensor.dtype == dtype else tensor.to(dtype)
