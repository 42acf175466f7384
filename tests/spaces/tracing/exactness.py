"""A network built as it is, compared with the original: outputs, buffers and gradients."""

from __future__ import annotations

import random
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import spaces
from spaces import Architecture, SearchSpace
from spaces.space import FusionChoice


def tensors(output: Any) -> list[Tensor]:
    if isinstance(output, Tensor):
        return [output]
    if isinstance(output, dict | list | tuple):
        return [
            tensor for value in (output.values() if isinstance(output, dict) else output) for tensor in tensors(value)
        ]
    return []


def as_it_is(space: SearchSpace) -> Architecture:
    """Return the architecture that fuses as the host does."""
    ops = {p.name: "concat" if p.out_channels == sum(p.in_channels) else "sum" for p in space.points}
    return Architecture(space.ref, tuple((name, FusionChoice(op)) for name, op in ops.items()))


def passed(
    model: nn.Module, inputs: tuple[Tensor, ...], seed: int
) -> tuple[list[Tensor], dict[str, Tensor], list[Any]]:
    """Return outputs, buffers, and gradients of inputs and parameters of one pass."""
    torch.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed)
    given = tuple(x.clone().requires_grad_(x.is_floating_point()) for x in inputs)
    out = tensors(model(*(x * 1 for x in given)))
    sum((t.double() * torch.arange(1, t.numel() + 1).view(t.shape).cos()).sum() for t in out).backward()
    host = getattr(model, "host", model)
    gradients = [x.grad for x in given] + [p.grad for p in host.parameters()]
    return out, dict(host.named_buffers()), gradients


def check_exact(model: nn.Module, *shapes: tuple[int, ...], seeds: int = 3, **settings: Any) -> SearchSpace:
    """Both modes, batches of two sizes and several seeds give exactly what the model gives."""
    space = spaces.trace(model, [torch.randn(1, *shape) for shape in shapes], **settings)
    architecture = as_it_is(space)
    for training in (False, True):
        for seed in range(seeds):
            for batch in (2, 3):
                torch.manual_seed(seed)
                inputs = tuple(torch.randn(batch, *shape) for shape in shapes)
                original = passed(deepcopy(model).train(training), inputs, seed)
                built = passed(space.build(architecture).train(training), inputs, seed)
                for ours, theirs in zip((built[0], built[2]), (original[0], original[2]), strict=True):
                    assert len(ours) == len(theirs)
                    for mine, its in zip(ours, theirs, strict=True):
                        assert (mine is None) == (its is None)
                        assert mine is None or torch.allclose(mine, its, atol=1e-5, rtol=1e-4)
                assert all(torch.allclose(value, original[1][key]) for key, value in built[1].items())
    return space
