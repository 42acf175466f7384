"""Random generators that a network may draw from behind the tracer's back."""

from __future__ import annotations

import inspect
import random
import sys
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn

__all__ = ["Generators"]

# Of so many parts is no state but a tuple of numbers.
_MANY = 16
Access = tuple[Callable[[], Any], Callable[[Any], object]]


class Generators:
    """The states of Python's, NumPy's and PyTorch's generators, and of those that the network's code names.

    Args:
        model: The network; generators among its modules' attributes, and among the globals of their code, count.
        foreign: Whether PyTorch's own default generator does not.
    """

    def __init__(self, model: nn.Module, *, foreign: bool = False) -> None:
        found = {id(generator): generator for generator in _named(model)}
        self._access: list[Access] = [(random.getstate, random.setstate)]
        if not foreign:
            self._access.append((torch.get_rng_state, torch.set_rng_state))
        numpy: Any = sys.modules.get("numpy")
        if numpy is not None:
            self._access.append((numpy.random.get_state, numpy.random.set_state))
        self._access += [access for generator in found.values() if (access := _access(generator)) is not None]

    def states(self) -> list[Any]:
        """Return the states of all generators."""
        return [get() for get, _ in self._access]

    def have_moved(self, since: list[Any]) -> bool:
        """Return whether anything was drawn since; if so, all generators are put back."""
        moved = [not _equal(get(), before) for (get, _), before in zip(self._access, since, strict=True)]
        for (_, put), before, was in zip(self._access, since, moved, strict=True):
            if was:
                put(before)
        return any(moved)


def _named(model: nn.Module) -> Iterator[Any]:
    seen: set[int] = set()
    for module in model.modules():
        yield from vars(module).values()
        names: dict[str, Any] = getattr(inspect.getattr_static(type(module), "forward", None), "__globals__", {})
        if id(names) not in seen:
            seen.add(id(names))
            yield from names.values()


def _access(generator: Any) -> Access | None:
    if isinstance(generator, random.Random) and not isinstance(generator, random.SystemRandom):
        return generator.getstate, generator.setstate
    if isinstance(generator, torch.Generator):
        return generator.get_state, generator.set_state
    numpy: Any = sys.modules.get("numpy")
    if numpy is not None and isinstance(generator, numpy.random.Generator):
        bits = generator.bit_generator
        return (lambda: bits.state), (lambda state: setattr(bits, "state", state))
    if numpy is not None and isinstance(generator, numpy.random.RandomState):
        return generator.get_state, generator.set_state
    return None


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, tuple) and len(one) > _MANY:
        return bool(one == other)
    if isinstance(one, tuple | list):
        return len(one) == len(other) and all(map(_equal, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
    same: Any = one == other
    return bool(same.all()) if hasattr(same, "all") else bool(same)
