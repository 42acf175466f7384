"""Whether two values that networks computed are the same, but for rounding."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from spaces.tracing.passes import DRAWN

__all__ = ["Difference", "differences", "precision"]

_PLAIN = (bool, int, float, complex, str, bytes, type(None))
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
    gradients = [value for name, value in expected.items() if _is_gradient(name) and isinstance(value, Tensor)]
    noise = _NOISE * max((_largest(gradient) for gradient in gradients), default=0.0)
    for name, value in expected.items():
        if name not in found:
            yield Difference(name, "is missing", structural=True)
            continue
        floor = noise if _is_gradient(name) else 0.0
        words, structural = (
            _drawn(value, found[name]) if name == DRAWN else _different(value, found[name], bound, floor)
        )
        if words:
            yield Difference(name, words, structural)
    yield from (Difference(name, "is new", structural=True) for name in found if name not in expected)


def _is_gradient(name: str) -> bool:
    return name.startswith("gradient")


def _different(expected: Any, found: Any, bound: float, floor: float) -> tuple[str, bool]:
    if isinstance(expected, Tensor) and isinstance(found, Tensor):
        if (expected.shape, expected.dtype, expected.device) != (found.shape, found.dtype, found.device):
            return f"is {_kind(found)}, not {_kind(expected)}", True
        return _far(expected, found, bound, floor), False
    if type(expected) is not type(found):
        return f"is {_kind(found)}, not {_kind(expected)}", True
    if hasattr(expected, "__dataclass_fields__") or isinstance(expected, _PLAIN):
        return ("" if _same(expected, found) else f"is {found}, not {expected}"), True
    return "", False


def _drawn(expected: Any, found: Any) -> tuple[str, bool]:
    return ("" if expected == found else "are others"), True


def _far(expected: Tensor, found: Tensor, bound: float, floor: float) -> str:
    """Return how far two tensors are from each other, in words; nothing where that is rounding."""
    if torch.equal(expected, found):
        return ""
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
    return "nothing" if value is None else f"a {type(value).__name__}"
