"""How far a network's outputs are from those of another, in units of how much these vary between images."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from reports.shipped.verify import tensors

__all__ = ["OutputDistance"]


class OutputDistance:
    """Compares networks with a reference: `√(Σ (y' − y)²) / √(Σ (y − ȳ)²)`, ȳ the mean of each output over images.

    Args:
        reference: The network whose outputs are y, in evaluation mode.
    """

    def __init__(self, reference: nn.Module) -> None:
        self._reference = reference
        self._variation = _Variation()

    @contextmanager
    def varying(self) -> Iterator[None]:
        """Take down, while the reference runs on all images, how much its outputs vary between them."""
        with _hooked(self._reference, self._variation.take):
            yield

    @contextmanager
    def measured(self, network: nn.Module) -> Iterator[Callable[[], float]]:
        """Compare a network while it runs; what is given returns its distance then.

        The reference runs on the same inputs beside it. The distance is infinite where the shapes of outputs differ,
        or where they differ though those of the reference do not vary.
        """
        apart: list[float] = []

        def compare(_network: nn.Module, inputs: tuple[Any, ...], returned: Any) -> None:
            apart.extend(_distances(tensors(returned), tensors(self._reference(*inputs))))

        def distance() -> float:
            whole, variation = math.fsum(apart), self._variation.total()
            return math.sqrt(whole / variation) if variation else math.inf if whole else 0.0

        with _hooked(network, compare):
            yield distance


class _Variation:
    """How much outputs vary between images: the sum of `(y − ȳ)²`, ȳ the mean over the images of each output.

    Outputs of other shapes, as detectors have for other images, have means of their own.
    """

    def __init__(self) -> None:
        self._known: dict[Any, tuple[int, Tensor, float]] = {}

    def take(self, _network: nn.Module, _inputs: Any, returned: Any) -> None:
        """Take in what a network returned for some images; a forward hook."""
        for index, tensor in enumerate(tensors(returned)):
            output = tensor.double() if tensor.ndim else tensor.double()[None]
            key = index, output.shape[1:]
            count, summed, squares = self._known.get(key, (0, torch.zeros_like(output[:1]).sum(dim=0), 0.0))
            self._known[key] = count + len(output), summed + output.sum(dim=0), squares + _energy(output)

    def total(self) -> float:
        """Return the sum over all images so far."""
        found = self._known.values()
        return math.fsum(max(0.0, squares - _energy(summed) / count) for count, summed, squares in found if count)


@contextmanager
def _hooked(network: nn.Module, hook: Callable[..., None]) -> Iterator[None]:
    handle = network.register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()


def _distances(found: Sequence[Tensor], expected: Sequence[Tensor]) -> list[float]:
    """Return the squared distance of each output from what is expected; none is finite where the shapes differ."""
    if [output.shape for output in found] != [output.shape for output in expected]:
        return [math.inf]
    return [_energy(a.double() - b.double()) for a, b in zip(found, expected, strict=True)]


def _energy(values: Tensor) -> float:
    return float(values.square().sum())
