"""What a network takes: inputs like the examples, for batches of another size."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from spaces.tracing.recording.worlds import batches

__all__ = ["random_inputs"]


def random_inputs(examples: Sequence[Tensor], size: int, seed: int, device: torch.device) -> tuple[Tensor, ...]:
    """Return inputs for a batch of `size`: floating ones normally distributed, others of the values in the examples.

    Args:
        examples: Example inputs; an integer one without values stands for zeros and ones.
        size: Images of the batch.
        seed: Seed of the values.
        device: Where they are to be.
    """
    generator = torch.Generator().manual_seed(seed)
    shapes = [tuple(example.shape) for example in batches(examples, size)]
    return tuple(_values(example, shape, generator).to(device) for example, shape in zip(examples, shapes, strict=True))


def _values(example: Tensor, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    if example.is_floating_point() or example.is_complex():
        wide = torch.promote_types(example.dtype, torch.float32)
        return torch.randn(shape, generator=generator, dtype=wide).to(example.dtype)
    if example.is_meta or not example.numel():
        return torch.randint(0, 2, shape, generator=generator).to(example.dtype)
    known = example.detach().cpu().flatten()
    return known[torch.randint(0, len(known), shape, generator=generator)]
