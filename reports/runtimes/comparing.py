"""Whether a file computes in its runtime what the network computes in PyTorch: other batches, other sizes of images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from reports.runtimes.runtime import Program
from reports.shipped.verify import LIMIT, difference, tensors

__all__ = ["BATCHES", "Compared", "batch_sizes", "compare", "computed", "fits", "returned", "wrong_at_other_size"]

BATCHES = (1, 7, 64)
"""At which batch sizes a file is compared."""
MOST_VALUES = 2**24
"""Of the inputs of one batch: 64 images of 3 × 295 × 295."""
FACTOR = 2


@dataclass(frozen=True, slots=True)
class Compared:
    """How far a program is from the network that it was made of.

    Args:
        difference: The largest difference, relative to the largest value of an output where that is beyond ±1.
        inputs: The batch that shows it.
    """

    difference: float
    inputs: tuple[Tensor, ...]

    @property
    def fits(self) -> bool:
        """Whether the difference is no more than rounding."""
        return fits(self.difference)

    @property
    def batch(self) -> int:
        """Images of the batch that shows the difference."""
        return len(self.inputs[0])


def compare(program: Program, network: nn.Module, inputs: Sequence[Tensor], *, batches: bool) -> Compared:
    """Compare a program with the network on the sample, in several batch sizes, or one image at a time.

    Args:
        program: What `Runtime.load` returned.
        network: The network, in evaluation mode, on the CPU.
        inputs: The sample: a batch of what the network takes.
        batches: Whether the program takes several images at once.

    Raises:
        ValueError: It returns another number of outputs, or other shapes.
        Exception: Whatever the runtime raises.
    """
    found = [
        Compared(difference(computed(program, given), returned(network, given)), given)
        for given in _samples(inputs, batches=batches)
    ]
    return max(found, key=lambda one: np.inf if np.isnan(one.difference) else one.difference)


def batch_sizes(inputs: Sequence[Tensor]) -> tuple[int, ...]:
    """Return at which batch sizes a file is compared: `BATCHES`, or smaller ones where images are large."""
    each = sum(given[0].numel() for given in inputs)
    most = max(1, MOST_VALUES // each)
    return tuple(dict.fromkeys(min(size, most) for size in BATCHES))


def wrong_at_other_size(program: Program, network: nn.Module, inputs: Sequence[Tensor]) -> str | None:
    """Return what is wrong about how a program answers images of twice the height and width; `None`: nothing.

    It must refuse them, or answer as the network does.
    """
    images = inputs[0][:1].repeat(1, 1, FACTOR, FACTOR)
    given = (images, *(other[:1] for other in inputs[1:]))
    try:
        answer = computed(program, given)
    except Exception:
        return None
    size = " × ".join(map(str, images.shape[2:]))
    try:
        expected = returned(network, given)
    except Exception:
        return f"it answers images of {size}, which the network refuses"
    try:
        found = difference(answer, expected)
    except ValueError as error:
        return f"it answers images of {size} wrongly ({error})"
    return None if fits(found) else f"it answers images of {size} wrongly, by {found:.2g}"


def fits(found: float) -> bool:
    """Return whether a difference is no more than rounding; NaN is more."""
    return found <= LIMIT


def computed(program: Program, inputs: Sequence[Tensor]) -> list[Tensor]:
    """Return what a program computes."""
    arrays = (np.ascontiguousarray(given.numpy()) for given in inputs)
    return [torch.from_numpy(np.array(output)) for output in program(*arrays)]


def returned(network: nn.Module, inputs: Sequence[Tensor]) -> list[Tensor]:
    """Return the tensors that a network returns."""
    with torch.no_grad():
        return tensors(network(*inputs))


def _samples(inputs: Sequence[Tensor], *, batches: bool) -> Iterator[tuple[Tensor, ...]]:
    """Yield the sample in batches of several sizes, its images repeated; or one image after the other."""
    count = len(inputs[0])
    if batches:
        for size in batch_sizes(inputs):
            yield tuple(given[torch.arange(size) % count] for given in inputs)
    else:
        for index in range(count):
            yield tuple(given[index : index + 1] for given in inputs)
