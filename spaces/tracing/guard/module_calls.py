"""The calls of a network's modules during one pass, and where those of another network begin to differ."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from spaces.tracing.guard.passes import observed, random_state

__all__ = ["Call", "Calls", "recorded", "suspects"]


@dataclass(eq=False)
class Call:
    """One call of a module.

    Attributes:
        path: The module's path.
        outputs: Sums of its output tensors, and a digest of where the random generators are after it.
        gradients: Sums of the gradients of its output tensors, by index.
    """

    path: str
    outputs: tuple[Any, ...] = ()
    gradients: dict[int, tuple[Any, ...]] = field(default_factory=dict)


@dataclass
class Calls:
    """All calls of one pass.

    Attributes:
        ended: The calls, in the order in which they ended.
        control: Which module had control, from event to event; `before` says how many calls had ended by then.
    """

    ended: list[Call] = field(default_factory=list)
    control: list[tuple[int, str]] = field(default_factory=list)
    stack: list[Call] = field(default_factory=list)

    def enter(self, path: str) -> None:
        """Note that a module is called."""
        self.stack.append(Call(path))
        self.control.append((len(self.ended), path))

    def leave(self, output: Any) -> None:
        """Note what the module called last returned."""
        call = self.stack.pop()
        tensors = [value for _, value in observed(output, "") if isinstance(value, Tensor)]
        call.outputs = (*map(_digest, tensors), hashlib.sha256(repr(random_state()).encode()).hexdigest())
        for index, tensor in enumerate(tensors):
            if tensor.requires_grad:
                watch: Any = tensor.register_hook
                watch(lambda gradient, index=index: _note(call, index, gradient))
        self.ended.append(call)
        self.control.append((len(self.ended), self.stack[-1].path if self.stack else ""))


@contextmanager
def recorded(host: nn.Module) -> Iterator[Calls]:
    """Record all calls of a network's modules."""
    calls = Calls([], [(0, "")], [])
    handles = []
    for path, module in host.named_modules():
        if path and not isinstance(module, torch.jit.ScriptModule):
            handles.append(module.register_forward_pre_hook(lambda *_, path=path: calls.enter(path), prepend=True))
            handles.append(module.register_forward_hook(lambda _m, _i, output: calls.leave(output)))
    try:
        yield calls
    finally:
        for handle in handles:
            handle.remove()


def suspects(original: Calls, built: Calls, bound: float) -> tuple[str, tuple[str, ...]]:
    """Return where two passes begin to differ, and the modules whose code may be the reason, the likeliest first.

    Where no output of a module differs, that is where the gradients do, seen from the end.

    Args:
        original: The calls of the original.
        built: The calls of the network built from its graph, which calls fewer modules.
        bound: Up to where a difference is rounding.
    """
    called = {call.path for call in built.ended}
    shared = [(index, call) for index, call in enumerate(original.ended) if call.path in called]
    place, paths = _forwards(original, shared, built.ended, bound) or _backwards(original, shared, built.ended, bound)
    return place, tuple(path for path in dict.fromkeys(paths) if path not in called)


def _forwards(
    original: Calls, shared: Sequence[tuple[int, Call]], found: Sequence[Call], bound: float
) -> tuple[str, tuple[str, ...]] | None:
    """Return the first call whose output differs, and what had control since the one before."""
    before = 0
    for place, (index, call) in enumerate(shared):
        other = found[place] if place < len(found) else None
        if other is None or other.path != call.path or not _alike(call.outputs, other.outputs, bound):
            return call.path, _in_control(original, before, index)
        before = index + 1
    return None


def _backwards(
    original: Calls, shared: Sequence[tuple[int, Call]], found: Sequence[Call], bound: float
) -> tuple[str, tuple[str, ...]]:
    """Return the last call whose output has another gradient, and what had control since; or after the last call."""
    end = len(original.ended)
    after = end
    for (index, call), other in reversed(list(zip(shared, found, strict=False))):
        if not _gradients_alike(call, other, bound):
            return call.path, (*_in_control(original, index + 1, after), *_in_control(original, after, end))
        after = index
    return "", _in_control(original, shared[-1][0] + 1 if shared else 0, end)


def _in_control(calls: Calls, first: int, last: int) -> tuple[str, ...]:
    """Return the modules that had control while calls `first` to `last` ended, innermost first, then those around."""
    found = [path for ended, path in calls.control if first <= ended <= last]
    ordered = sorted(dict.fromkeys(found), key=lambda path: -path.count("."))
    around = [path.rpartition(".")[0] for path in ordered]
    return tuple(path for path in dict.fromkeys((*ordered, *around)) if path)


def _alike(expected: Sequence[Any], found: Sequence[Any], bound: float) -> bool:
    if len(expected) != len(found):
        return False
    return all(
        _near(*pair, bound) if isinstance(pair[0], tuple) else pair[0] == pair[1]
        for pair in zip(expected, found, strict=True)
    )


def _near(expected: tuple[Any, ...], found: tuple[Any, ...], bound: float) -> bool:
    (shape, total, size), (other, other_total, other_size) = expected, found
    if shape != other:
        return False
    scale = max(size, other_size)
    return not (abs(total - other_total) > bound * scale or abs(size - other_size) > bound * scale)


def _gradients_alike(call: Call, other: Call, bound: float) -> bool:
    if call.gradients.keys() != other.gradients.keys():
        return False
    return all(_near(call.gradients[index], other.gradients[index], bound) for index in call.gradients)


def _note(call: Call, index: int, gradient: Tensor) -> None:
    call.gradients[index] = _digest(gradient)


def _digest(tensor: Tensor) -> tuple[Any, ...]:
    """Return shape, a weighted sum, and the sum of absolute values."""
    values = tensor.detach().flatten()
    values = (values.abs() if values.is_complex() else values).double()
    weights = torch.linspace(0.5, 1.5, values.numel(), dtype=torch.float64, device=values.device)
    return tuple(tensor.shape), float(values @ weights), float(values.abs().sum())
