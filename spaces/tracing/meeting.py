"""Where feature maps meet in a graph: sums and channel concatenations of two or more of them."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, fx

from spaces.tracing.features import FeatureMaps, args_of, value_of
from spaces.tracing.writing import is_read_through_alias, later_readers, writes

__all__ = ["Meeting", "meetings"]

_ADDS = {
    operator.add,
    operator.iadd,
    torch.add,
    "add",
    "add_",
    torch.ops.aten.add.Tensor,
    torch.ops.aten.add_.Tensor,
}
_IN_PLACE = {operator.iadd, "add_", torch.ops.aten.add_.Tensor}
_CONCATENATIONS = {
    *(torch.cat, torch.concat, torch.concatenate, torch.ops.aten.cat.default, torch.ops.aten.concat.default),
    torch.ops.aten.concatenate.default,
}


@dataclass(frozen=True, slots=True)
class Meeting:
    """A sum or a concatenation, with those that feed nothing but it.

    Args:
        node: The node that computes it.
        op: `add` or `cat`.
        inputs: What meets, in the order of the code.
        absorbed: Inner sums or concatenations, in the order of the graph.
        written: Nodes whose value it overwrites; what reads them later reads the result.
    """

    node: fx.Node
    op: str
    inputs: tuple[fx.Node, ...]
    absorbed: tuple[fx.Node, ...] = ()
    written: tuple[fx.Node, ...] = ()


def meetings(graph: fx.Graph) -> tuple[Meeting, ...]:
    """Return where feature maps meet, in the order of the graph."""
    maps = FeatureMaps(graph)
    found: dict[fx.Node, Meeting] = {}
    for node in graph.nodes:
        own = _operands(node)
        if own is None or any(not isinstance(operand, fx.Node) for operand in own[1]):
            continue
        op, operands = own
        inner = [found[operand] for operand in operands if _absorbs(node, op, operand, found)]
        inputs = tuple(part for operand in operands for part in _parts(operand, inner))
        written = (operands[0],) if node.target in _IN_PLACE and operands[0] not in [m.node for m in inner] else ()
        meeting = Meeting(node, op, inputs, tuple(part for m in inner for part in (*m.absorbed, m.node)), written)
        if _fuses(meeting, maps):
            for absorbed in inner:
                del found[absorbed.node]
            found[node] = replace(meeting, written=(*meeting.written, *(w for m in inner for w in m.written)))
    return tuple(meeting for meeting in found.values() if not maps.is_gate(meeting.node))


def _operands(node: fx.Node) -> tuple[str, Sequence[Any]] | None:
    if node.op not in ("call_function", "call_method"):
        return None
    if node.target in _ADDS:
        first, second, alpha = args_of(node, "input", "other", "alpha")
        return ("add", (first, second)) if alpha in (None, 1) else None
    if node.target in _CONCATENATIONS:
        tensors, dim, named = args_of(node, "tensors", "dim", "axis")
        value = value_of(node)
        channels = isinstance(value, Tensor) and (dim if dim is not None else named) in (1, 1 - value.ndim)
        return ("cat", tuple(tensors)) if channels and isinstance(tensors, list | tuple) else None
    return None


def _absorbs(node: fx.Node, op: str, operand: fx.Node, found: dict[fx.Node, Meeting]) -> bool:
    """Return whether an inner sum (or concatenation) can wait until the outer one is computed."""
    inner = found.get(operand)
    if inner is None or inner.op != op or set(operand.users) != {node}:
        return False
    if any(later_readers(written, operand) - {node} for written in inner.written):
        return False
    between, waiting = operand.next, set(inner.inputs)
    while between is not node:
        if waiting & set(writes(between)):
            return False
        between = between.next
    return True


def _parts(operand: fx.Node, inner: Sequence[Meeting]) -> tuple[fx.Node, ...]:
    return next((meeting.inputs for meeting in inner if meeting.node is operand), (operand,))


def _fuses(meeting: Meeting, maps: FeatureMaps) -> bool:
    shapes = [tuple(value.shape) for value in map(value_of, meeting.inputs) if isinstance(value, Tensor)]
    if len(set(meeting.inputs)) < 2 or len(shapes) != len(meeting.inputs):
        return False
    if any(not maps.is_feature_map(node) for node in meeting.inputs):
        return False
    if all(node.op == "placeholder" for node in meeting.inputs):
        return False
    if meeting.op == "add" and len(set(shapes)) > 1:
        return False
    if any(is_read_through_alias(written, meeting.node) for written in meeting.written):
        return False
    return math.prod(shapes[0]) > 0
