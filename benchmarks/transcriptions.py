"""Plain transcriptions of the operators' formulas for two maps, on the same weights: what `ops.py` compares with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["TRANSCRIPTIONS", "Transcription"]

Transcription = Callable[[Any, Tensor, Tensor], Tensor]


def between(weight: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Return `2wx + 2(1 − w)y`."""
    return 2 * weight * x + 2 * (1 - weight) * y


def aff(op: Any, x: Tensor, y: Tensor) -> Tensor:
    """AFF as its equation reads."""
    z = x + y
    return between(torch.sigmoid(op.local_att(z) + op.global_att(z)), x, y)


def iaff(op: Any, x: Tensor, y: Tensor) -> Tensor:
    """IAFF as its equations read."""
    z = x + y
    first = torch.sigmoid(op.local_att(z) + op.global_att(z))
    u = first * x + (1 - first) * y
    return between(torch.sigmoid(op.local_att2(u) + op.global_att2(u)), x, y)


def selection(op: Any, x: Tensor, y: Tensor) -> Tensor:
    """SK, and split attention of one group: a softmax over the inputs for each channel."""
    logits = op.select(op.squeeze((x + y).mean((2, 3), keepdim=True)))
    weights = torch.softmax(logits.unflatten(1, (2, -1)), dim=1)
    return 2 * weights[:, 0] * x + 2 * weights[:, 1] * y


def eca(op: Any, x: Tensor, y: Tensor) -> Tensor:
    """ECA between inputs."""
    logits = op.mix((x + y).mean((2, 3)).unsqueeze(1)).squeeze(1)[:, :, None, None]
    return between(torch.sigmoid(logits), x, y)


def bifpn(op: Any, x: Tensor, y: Tensor) -> Tensor:
    """Fast normalised fusion, with the factor N."""
    weights = torch.relu(op.weight)
    return 2 * (weights[0] * x + weights[1] * y) / weights.sum().clamp(min=1e-4)


def asff(op: Any, x: Tensor, y: Tensor) -> Tensor:
    """A softmax over the inputs at each position."""
    weights = torch.softmax(torch.cat([op.ask[0](x), op.ask[1](y)], 1), dim=1)
    return 2 * weights[:, :1] * x + 2 * weights[:, 1:] * y


def parsenet(op: Any, x: Tensor, y: Tensor) -> Tensor:
    """The sum and a projection of both maps, the context broadcast, normalised and concatenated."""
    maps = (x, y.mean((2, 3), keepdim=True).expand_as(y))
    normal = [
        scale[:, None, None] * v / torch.sqrt((v**2).sum(1, keepdim=True) + v.shape[1] * 1e-5)
        for v, scale in zip(maps, op.scales, strict=True)
    ]
    weight = torch.cat([op.local[0].weight, op.context.weight], 1)
    return x + y + nn.functional.conv2d(torch.cat(normal, 1), weight, op.context.bias)


def attnres(op: Any, x: Tensor, y: Tensor) -> Tensor:
    """A softmax over the inputs at each position, of products of a query with normalised maps."""
    values = torch.stack([x, y])
    keys = values * torch.rsqrt(values.square().mean(2, keepdim=True) + 1e-5)
    weights = torch.softmax(torch.einsum("c,nbchw->nbhw", op.query, keys), dim=0)
    return 2 * (weights[:, :, None] * values).sum(0)


def gate(op: Any, x: Tensor, y: Tensor) -> Tensor:
    """A gate of low rank from both inputs, concatenated."""
    first = torch.cat([look.weight for look in op.look], 1)
    hidden = torch.relu(nn.functional.conv2d(torch.cat([x, y], 1), first))
    return between(torch.sigmoid(op.decide(hidden)), x, y)


def cbam(op: Any, x: Tensor, y: Tensor) -> Tensor:
    """CBAM on the sum, as its equations read."""
    z = x + y
    u = 2 * torch.sigmoid(op.by_channel(z.mean((2, 3), True)) + op.by_channel(z.amax((2, 3), True))) * z
    return 2 * torch.sigmoid(op.by_place(torch.cat([u.mean(1, True), u.amax(1, True)], 1))) * u


def coord(op: Any, x: Tensor, y: Tensor) -> Tensor:
    """Coordinate attention on the sum: rows and columns in one tensor."""
    z = x + y
    joined = op.squeeze(torch.cat([z.mean(3, keepdim=True), z.mean(2, keepdim=True).transpose(2, 3)], 2))
    rows, columns = joined.split(list(z.shape[2:]), 2)
    return 4 * torch.sigmoid(op.ask[0](rows)) * torch.sigmoid(op.ask[1](columns.transpose(2, 3))) * z


def softmax(op: Any, x: Tensor, y: Tensor) -> Tensor:
    """A softmax over learned numbers for each channel."""
    weights = torch.softmax(op.logits, dim=0)[:, :, None, None]
    return 2 * weights[0] * x + 2 * weights[1] * y


TRANSCRIPTIONS: dict[str, Transcription] = {
    "sum": lambda op, x, y: x + y,
    "concat": lambda op, x, y: op.project(torch.cat([x, y], 1)),
    "sk": selection,
    "aff": aff,
    "iaff": iaff,
    "split_attention": selection,
    "modulate": lambda op, x, y: 2 * torch.sigmoid(op.global_att(y)) * x + y,
    "asymbi": lambda op, x, y: 2 * x * torch.sigmoid(op.global_att(y)) + 2 * y * torch.sigmoid(op.local_att(x)),
    "eca": eca,
    "bifpn": bifpn,
    "asff": asff,
    "parsenet": parsenet,
    "scaled_sum": lambda op, x, y: op.scales[0][:, None, None] * x + op.scales[1][:, None, None] * y,
    "scaled": lambda op, x, y: y + op.scales[0] * x,
    "gated": lambda op, x, y: y + 2 * torch.sigmoid(op.excite[0](x)) * x,
    "softmax": softmax,
    "attnres": attnres,
    "gate": gate,
    "max": lambda op, x, y: (1 - op.mix) * (x + y) + 2 * op.mix * torch.maximum(x, y),
    "product": lambda op, x, y: x + y + op.share * op.project[0](x) * op.project[1](y),
    "cbam": cbam,
    "coord": coord,
}
