"""Where feature maps meet in a graph: sums and channel concatenations of two or more of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, fx

from spaces.tracing.points.calls import Calls, args_of, value_of
from spaces.tracing.points.features import FeatureMaps
from spaces.tracing.points.predictions import are_predictions
from spaces.tracing.recording.marks import SCOPE
from spaces.tracing.recording.writing import is_read_through_alias, later_readers, writes

__all__ = ["LeftAlone", "Meeting", "meetings"]

_STACKED = {"hstack": 1, "columnstack": 1, "dstack": 2}


@dataclass(frozen=True, slots=True)
class Meeting:
    """A sum or a concatenation, with those that feed nothing but it.

    Args:
        node: The node that computes it.
        op: `add` or `cat`.
        inputs: What meets, in the order of the code.
        absorbed: Inner sums or concatenations, in the order of the graph.
        written: Nodes whose value it overwrites; what reads them later reads the result.
        order: Axes of the maps as batch, channels, positions.
        divisor: What the sum is divided by, as in a mean.
    """

    node: fx.Node
    op: str
    inputs: tuple[fx.Node, ...]
    absorbed: tuple[fx.Node, ...] = ()
    written: tuple[fx.Node, ...] = ()
    order: tuple[int, ...] = ()
    divisor: int = 1


@dataclass(frozen=True, slots=True)
class LeftAlone:
    """A sum or concatenation of tensors of the input that is no fusion point.

    Args:
        node: The node that computes it.
        op: `add` or `cat`.
        why: Why it is none.
    """

    node: fx.Node
    op: str
    why: str


def meetings(maps: FeatureMaps) -> tuple[tuple[Meeting, ...], tuple[LeftAlone, ...]]:
    """Return where feature maps meet, and what was left alone for want of evidence, in the order of the graph."""
    found: dict[fx.Node, Meeting] = {}
    left: list[LeftAlone] = []
    for node in maps.calls.graph.nodes:
        own = _own(node, maps)
        if own is None:
            continue
        inner = [found[operand] for operand in own.inputs if _absorbs(own, operand, found)]
        meeting = _together(own, inner)
        why = _obstacle(meeting, maps)
        if why:
            left += [LeftAlone(node, own.op, why)] if not maps.is_gate(node) else []
        elif why is None:
            for absorbed in inner:
                del found[absorbed.node]
            found[node] = replace(meeting, order=maps.layout.order(node) or ())
    kept = tuple(meeting for meeting in found.values() if not maps.is_gate(meeting.node))
    return kept, tuple(left)


def _own(node: fx.Node, maps: FeatureMaps) -> Meeting | None:
    """Return a node as a meeting of what it reads, if it could be one."""
    calls, value = maps.calls, value_of(node)
    if node.op not in ("call_function", "call_method") or not isinstance(value, Tensor):
        return None
    name = calls.name(node)
    if name == "add":
        first, second, alpha = args_of(node, "input", "other", "alpha")
        written = (first,) if isinstance(first, fx.Node) and first in writes(node) else ()
        return _meeting(node, "add", (first, second), written=written) if alpha in (None, 1) else None
    if name == "cat" or name in _STACKED:
        tensors, dim, axis = args_of(node, "tensors", "dim", "axis")
        dim = _STACKED.get(name, dim if dim is not None else axis)
        order, along = maps.layout.order(node), (dim or 0) % value.ndim
        return _meeting(node, "cat", tensors) if along and (order is None or order[1] == along) else None
    return _of_stack(node, calls) if name in ("sum", "mean") else None


def _meeting(node: fx.Node, op: str, operands: Any, **rest: Any) -> Meeting | None:
    if not isinstance(operands, list | tuple) or not all(isinstance(operand, fx.Node) for operand in operands):
        return None
    return Meeting(node, op, tuple(operands), **rest)


def _of_stack(node: fx.Node, calls: Calls) -> Meeting | None:
    """Return the sum that `stack(maps).sum(0)` is, or the mean."""
    whole, dim, keepdim, dtype = args_of(node, "input", "dim", "keepdim", "dtype")
    dim = node.kwargs.get("axis") if dim is None else dim
    if not isinstance(whole, fx.Node) or calls.name(whole) != "stack" or keepdim or dtype is not None:
        return None
    tensors, along = args_of(whole, "tensors", "dim")
    dims = list(dim) if isinstance(dim, list | tuple) else [dim]
    ndim = value_of(whole).ndim
    if len(dims) != 1 or not isinstance(dims[0], int) or dims[0] % ndim != (along or 0) % ndim:
        return None
    alone = set(whole.users) == {node}
    divisor = len(tensors) if calls.name(node) == "mean" else 1
    return _meeting(node, "add", tensors, absorbed=(whole,) if alone else (), divisor=divisor)


def _together(own: Meeting, inner: Sequence[Meeting]) -> Meeting:
    """Return a meeting with those that feed nothing but it."""
    parts = {meeting.node: meeting.inputs for meeting in inner}
    inputs = tuple(part for operand in own.inputs for part in parts.get(operand, (operand,)))
    written = tuple(node for node in own.written if node not in parts)
    return replace(
        own,
        inputs=inputs,
        absorbed=tuple(part for m in inner for part in (*m.absorbed, m.node)) + own.absorbed,
        written=written + tuple(w for m in inner for w in m.written),
    )


def _absorbs(own: Meeting, operand: fx.Node, found: dict[fx.Node, Meeting]) -> bool:
    """Return whether an inner sum (or concatenation) can wait until the outer one is computed.

    It stands in the same forward method, nothing else reads it, and the order of summation stays: an operator
    sums from the left.
    """
    inner = found.get(operand)
    if inner is None or inner.op != own.op or set(operand.users) != {own.node} or own.inputs.count(operand) > 1:
        return False
    if operand.meta[SCOPE] != own.node.meta[SCOPE] or inner.divisor != 1 or own.divisor != 1:
        return False
    if own.op == "add" and (operand is not own.inputs[0] or own.absorbed):
        return False
    if any(later_readers(written, operand) - {own.node} for written in inner.written):
        return False
    between, waiting = operand.next, set(inner.inputs)
    while between is not own.node:
        if waiting & set(writes(between)):
            return False
        between = between.next
    return True


def _obstacle(meeting: Meeting, maps: FeatureMaps) -> str | None:
    """Return why a meeting is no fusion point; `None` where it is one, an empty text where nobody would expect one."""
    values = [value_of(node) for node in meeting.inputs]
    if len(set(meeting.inputs)) < 2 or not all(map(maps.is_candidate, meeting.inputs)):
        return ""
    if all(node.op == "placeholder" for node in meeting.inputs) or len({value.dtype for value in values}) > 1:
        return ""
    if meeting.op == "add" and len({tuple(value.shape) for value in values}) > 1:
        return ""
    if len({maps.base(node) for node in meeting.inputs}) < 2:
        return ""
    if any(is_read_through_alias(written, meeting.node) for written in meeting.written):
        return "what it overwrites is read through a view"
    why = next(filter(None, map(maps.layout.obstacle, (*meeting.inputs, meeting.node))), "")
    orders = {maps.layout.order(node) for node in (*meeting.inputs, meeting.node)}
    if why or len(orders) > 1:
        return why or "its operands hold their channels in different axes"
    order = orders.pop()
    predicts = meeting.op == "cat" and order and are_predictions(meeting.node, meeting.inputs, order[1], maps.calls)
    return "it puts predictions beside each other" if predicts else None
