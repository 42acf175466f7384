"""Which axes of what a call reads are which axes of its result."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx

from spaces.tracing.points.calls import Calls, args_of, value_of

__all__ = ["Flow", "flows"]

# Axes of the source and the axes of the result that they become together.
Groups = tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]

_RESHAPES = {"view", "reshape", "flatten", "unflatten", "viewas", "reshapeas", "unsafeview", "ravel", "rearrange"}
_VIEWS = {
    *("getitem", "permute", "transpose", "swapaxes", "swapdims", "movedim", "moveaxis", "t", "select", "narrow"),
    *(
        "squeeze",
        "slice",
        "getattr",
        "adjoint",
        "unbind",
        "chunk",
        "split",
        "splitwithsizes",
        "tensorsplit",
        "unsafechunk",
    ),
}
_REDUCTIONS = {
    *("mean", "sum", "amax", "amin", "max", "min", "std", "var", "prod", "norm", "logsumexp", "median", "nansum"),
    *("nanmean", "argmax", "argmin", "linalgvectornorm", "vectornorm", "all", "any"),
}
_SAME_AXES = ("conv", "pool", "pad", "interpolate", "upsample", "pixel", "shuffle", "roll", "gridsample")
_CONCATENATIONS = {"cat", "hstack", "vstack", "dstack", "columnstack", "rowstack"}
# Strides that no slice makes of one another tell the axes of a view apart.
_STRIDES = (1_000_003, 1_000_033, 1_000_037, 1_000_039, 1_000_081, 1_000_099, 1_000_117, 1_000_121)


@dataclass(frozen=True, slots=True)
class Flow:
    """The axes that a result has of one of its sources.

    Args:
        source: The node that is read.
        groups: Axes of the source and the axes of the result that they become together.
    """

    source: fx.Node
    groups: Groups


def flows(node: fx.Node, calls: Calls) -> tuple[Flow, ...]:
    """Return the axes that a node's result has of its sources; of what is not known, nothing."""
    value = value_of(node)
    if not isinstance(value, Tensor) or not calls.sources(node):
        return ()
    return tuple(Flow(source, groups) for source, groups in _flows(node, calls, value) if groups)


def _flows(node: fx.Node, calls: Calls, value: Tensor) -> Iterator[tuple[fx.Node, Groups]]:
    name, sources = calls.name(node), calls.sources(node)
    first = sources[0]
    if name in _VIEWS and len(sources) == 1:
        yield _viewed(node, calls, value)
    elif name in _RESHAPES and isinstance(value_of(first), Tensor):
        yield first, _regrouped(tuple(value_of(first).shape), tuple(value.shape))
    elif name == "unsqueeze":
        dim = args_of(node, "input", "dim")[1] % value.ndim
        yield first, _kept(axis for axis in range(value.ndim) if axis != dim)
    elif name == "stack":
        dim = (args_of(node, "tensors", "dim")[1] or 0) % value.ndim
        yield from ((source, _kept(axis for axis in range(value.ndim) if axis != dim)) for source in sources)
    elif name in _REDUCTIONS and isinstance(value_of(first), Tensor) and len(sources) == 1:
        yield first, _reduced(node, name, value_of(first), value)
    elif name == "linear":
        yield first, _same(range(value.ndim))
    elif name == "matmul":
        yield from _multiplied(node, calls, value)
    elif name == "einsum":
        yield from _summed(node, calls)
    elif name == "scaleddotproductattention":
        yield first, _same(range(value.ndim - 1))
    elif name in _CONCATENATIONS or any(part in name for part in _SAME_AXES):
        yield from ((source, _same(range(value.ndim))) for source in sources if _ndim(source) == value.ndim)
    else:
        alike = (s for s in sources if isinstance(value_of(s), Tensor) and value_of(s).shape == value.shape)
        yield from ((source, _same(range(value.ndim))) for source in alike)


def _ndim(node: fx.Node) -> int:
    value = value_of(node)
    return value.ndim if isinstance(value, Tensor) else -1


def _same(axes: Any) -> Groups:
    return tuple(((axis,), (axis,)) for axis in axes)


def _kept(axes: Any) -> Groups:
    """Return that these axes of the result are those of the source, in order."""
    return tuple(((index,), (axis,)) for index, axis in enumerate(axes))


def _reduced(node: fx.Node, name: str, source: Tensor, value: Tensor) -> Groups:
    if name in ("norm", "linalgvectornorm", "vectornorm"):
        dims = args_of(node, "input", "p", "dim")[2]
    else:
        dims = args_of(node, "input", "dim")[1]
        dims = node.kwargs.get("axis") if dims is None else dims
    if dims is None or isinstance(dims, fx.Node):
        return ()
    gone = {dim % source.ndim for dim in (dims if isinstance(dims, tuple | list) else (dims,))}
    kept = [axis for axis in range(source.ndim) if axis not in gone]
    if value.ndim == source.ndim:
        return _same(kept)
    return tuple(((axis,), (index,)) for index, axis in enumerate(kept)) if value.ndim == len(kept) else ()


def _viewed(node: fx.Node, calls: Calls, value: Tensor) -> tuple[fx.Node, Groups]:
    """Apply a view, or the making of the parts that it takes one of, to a tensor whose strides tell its axes."""
    whole = calls.sources(node)[0]
    taken = isinstance(value_of(whole), tuple | list)
    source = calls.sources(whole)[0] if taken and len(calls.sources(whole)) == 1 else whole
    tensor = value_of(source)
    if not isinstance(tensor, Tensor) or tensor.ndim > len(_STRIDES):
        return source, ()
    if taken and calls.name(whole) in _REDUCTIONS:  # the values beside the places of a maximum
        return source, _reduced(whole, calls.name(whole), tensor, value)
    if taken and calls.name(whole) not in _VIEWS:
        return source, ()
    try:
        probe: Any = torch.empty_strided(tensor.shape, _STRIDES[: tensor.ndim], device="meta")
        parts = calls.applied(whole, source, probe) if taken else probe
        view = parts[node.args[1]] if taken else calls.applied(node, source, probe)
    except Exception:
        return source, ()
    if not isinstance(view, Tensor) or view.shape != value.shape:
        return source, ()
    return source, _by_strides(tensor, view)


def _by_strides(source: Tensor, view: Tensor) -> Groups:
    found = []
    for axis, stride in enumerate(view.stride()):
        for origin, known in enumerate(_STRIDES[: source.ndim]):
            if stride == known or (stride and stride % known == 0 and view.shape[axis] > 1):
                found.append(((origin,), (axis,)))
    return tuple(group for group in found if sum(other[0] == group[0] for other in found) == 1)


def _regrouped(before: Sequence[int], after: Sequence[int]) -> Groups:
    """Return which axes become which where a tensor is viewed in another shape."""
    lead = next(
        (i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), min(len(before), len(after))
    )
    room = min(len(before), len(after)) - lead
    tail = next((i for i in range(room) if before[-1 - i] != after[-1 - i]), room)
    groups: list[tuple[tuple[int, ...], tuple[int, ...]]] = [((axis,), (axis,)) for axis in range(lead)]
    rest = [axis for axis in range(lead, len(before) - tail) if before[axis] != 1]
    made = [axis for axis in range(lead, len(after) - tail) if after[axis] != 1]
    groups += _factored(before, after, rest, made)
    groups += [((len(before) - tail + i,), (len(after) - tail + i,)) for i in range(tail)]
    return tuple(groups)


def _factored(
    before: Sequence[int], after: Sequence[int], rest: list[int], made: list[int]
) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    groups: list[tuple[tuple[int, ...], tuple[int, ...]]] = []
    while rest and made:
        old, new = [rest.pop(0)], [made.pop(0)]
        while math.prod(before[axis] for axis in old) != math.prod(after[axis] for axis in new):
            smaller = math.prod(before[axis] for axis in old) < math.prod(after[axis] for axis in new)
            if not (rest if smaller else made):
                return groups
            (old if smaller else new).append((rest if smaller else made).pop(0))
        groups.append((tuple(old), tuple(new)))
    return groups


def _multiplied(node: fx.Node, calls: Calls, value: Tensor) -> Iterator[tuple[fx.Node, Groups]]:
    left, right = args_of(node, "input", "other")[:2]
    if "mat2" in node.kwargs:
        right = node.kwargs["mat2"]
    if min(_ndim(left), _ndim(right)) < 2:
        return
    for side, own in ((left, -2), (right, -1)):
        if not calls.is_data(side):
            continue
        shift = value.ndim - _ndim(side)
        shape = value_of(side).shape
        batch = [axis for axis in range(_ndim(side) - 2) if shape[axis] == value.shape[axis + shift]]
        last = ((_ndim(side) + own,), (value.ndim + own,))
        yield side, (*(((axis,), (axis + shift,)) for axis in batch), last)


def _summed(node: fx.Node, calls: Calls) -> Iterator[tuple[fx.Node, Groups]]:
    """Follow the letters of an einsum's equation."""
    equation, operands = node.args[0], node.args[1:]
    if not isinstance(equation, str) or "->" not in equation or "." in equation:
        return
    if len(operands) == 1 and isinstance(operands[0], list | tuple):
        operands = tuple(operands[0])
    taken, made = equation.replace(" ", "").split("->")
    for letters, operand in zip(taken.split(","), operands, strict=False):
        if isinstance(operand, fx.Node) and calls.is_data(operand):
            yield operand, tuple(((i,), (made.index(letter),)) for i, letter in enumerate(letters) if letter in made)
