"""Whether two values that networks computed are the same, but for rounding."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from spaces.tracing.guard.passes import DRAWN, Container

__all__ = ["Difference", "differences", "precision"]

_PLAIN = (bool, int, float, complex, str, type(None))
# A gradient that is next to nothing beside the others is rounding, as that of a bias before a normalisation.
_NOISE = 1e-3


@dataclass(frozen=True, slots=True)
class Difference:
    """What two networks do not have in common.

    Args:
        name: What it is of: ``output `aux` ``, ``gradient of `stem.weight` ``.
        words: How it differs.
        structural: Whether it is another kind of thing, not only another number.
    """

    name: str
    words: str
    structural: bool

    def __str__(self) -> str:
        return f"{self.name} {self.words}"


def precision(network: nn.Module, inputs: Iterable[Tensor]) -> float:
    """Return up to where a difference is rounding, relative to a tensor's largest value.

    Half of the digits of the coarsest type in the network: 3e-4 for float32, 1.5e-8 for float64.
    """
    tensors = (*network.parameters(), *network.buffers(), *inputs)
    kinds = {tensor.dtype for tensor in tensors if tensor.is_floating_point()}
    return math.sqrt(max((torch.finfo(kind).eps for kind in kinds), default=torch.finfo(torch.float32).eps))


def differences(expected: Mapping[str, Any], found: Mapping[str, Any], bound: float) -> Iterator[Difference]:
    """Yield what differs by more than rounding between what two passes left, in the order of the first.

    Args:
        expected: What the original left, by name.
        found: What the other one left.
        bound: Up to where a difference is rounding, relative to a tensor's largest value.
    """
    for name, value in expected.items():
        if name not in found:
            yield Difference(name, "is missing", structural=True)
        elif words := _different(name, value, found[name], bound, expected):
            yield Difference(name, *words)
    yield from (Difference(name, "is new", structural=True) for name in found if name not in expected)


def _noise(name: str, expected: Mapping[str, Any]) -> float:
    """Return up to where the values of a gradient are next to nothing; nothing else has such a limit."""
    if not name.startswith("gradient"):
        return 0.0
    gradients = [value for name, value in expected.items() if name.startswith("gradient")]
    return _NOISE * max(_largest(_wide(gradient)) for gradient in gradients if isinstance(gradient, Tensor))


def _different(name: str, expected: Any, found: Any, bound: float, every: Mapping[str, Any]) -> tuple[str, bool] | None:
    """Return how two values differ, in words, and whether they are of another kind; `None` where they do not."""
    if name == DRAWN:
        return ("are others", True) if expected != found else None
    if isinstance(expected, Tensor) and isinstance(found, Tensor) and _like(expected) == _like(found):
        if torch.equal(expected, found):
            return None
        words = _far(expected, found, bound, _noise(name, every))
        return (words, False) if words else None
    if isinstance(expected, Tensor) or type(expected) is not type(found):
        return f"is {_kind(found)}, not {_kind(expected)}", True
    if isinstance(expected, (Container, *_PLAIN)) and not _same(expected, found):
        return f"is {found}, not {expected}", True
    return None


def _like(tensor: Tensor) -> tuple[Any, ...]:
    return tensor.shape, tensor.dtype, tensor.device


def _far(expected: Tensor, found: Tensor, bound: float, floor: float) -> str:
    """Return how far two tensors are from each other, in words; nothing where that is rounding."""
    if not expected.is_floating_point() and not expected.is_complex():
        return f"has {int((expected != found).sum()):,} other values of {expected.numel():,}"
    expected, found = (_wide(tensor) for tensor in (expected, found))
    strange = ~expected.isfinite() | ~found.isfinite()
    unlike = strange & (expected != found) & ~(expected.isnan() & found.isnan())
    if unlike.any():
        return f"is infinite or not a number at {int(unlike.sum()):,} of {expected.numel():,} other places"
    gap = _largest((expected - found)[~strange])
    largest = max(_largest(expected[~strange]), _largest(found[~strange]), floor)
    return f"differs by {gap:.2g} (its largest value is {largest:.2g})" if gap > bound * largest else ""


def _largest(tensor: Tensor) -> float:
    finite = tensor[tensor.isfinite()]
    return float(finite.abs().max()) if finite.numel() else 0.0


def _wide(tensor: Tensor) -> Tensor:
    return tensor.to(torch.complex128 if tensor.is_complex() else torch.float64)


def _same(expected: Any, found: Any) -> bool:
    return bool(expected == found) or (expected != expected and found != found)


def _kind(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)} on {value.device.type}"
    if isinstance(value, Container):
        return str(value)
    return "nothing" if value is None else f"a {type(value).__name__}"
