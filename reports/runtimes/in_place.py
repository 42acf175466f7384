"""Operations in place, such as `relu_`, spelled as those that return a new tensor, for converters that refuse them.

In place they save memory while training; in an exported program they only ask more of a converter.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.export import ExportedProgram
from torch.fx import Node

__all__ = ["without_in_place"]

# They return a tensor of their own, never a view of what they are given.
NEW = {
    *("conv1d", "conv2d", "conv3d", "linear", "batch_norm", "group_norm", "layer_norm", "cat", "matmul"),
    *("add", "sub", "mul", "div", "mean", "sigmoid", "tanh"),
    *("relu", "relu6", "hardtanh", "leaky_relu", "elu", "silu", "mish", "hardswish", "hardsigmoid", "clamp"),
}


def without_in_place(program: ExportedProgram) -> ExportedProgram:
    """Spell operations in place as others wherever nothing else reads the tensor that they write into.

    Such a tensor is the result of an operation in `NEW`, used once. All others stay in place: something else may have
    to see what is written.

    Args:
        program: It is changed, and returned.
    """
    for node in program.graph.nodes:
        if node.op == "call_function" and (plain := _returning_new(node.target)) is not None and _is_read_once(node):
            node.target = plain
    program.graph_module.recompile()
    return program


def _returning_new(target: Any) -> Any | None:
    """Return the operation of `aten` that calculates the same into a tensor of its own, if it is one of `NEW`."""
    name = _name(target)
    if not name.endswith("_") or name[:-1] not in NEW:
        return None
    return getattr(getattr(torch.ops.aten, name[:-1]), target._overloadname, None)


def _is_read_once(node: Node) -> bool:
    written = node.args[0]
    return isinstance(written, Node) and _name(written.target) in NEW and len(written.users) == 1


def _name(target: Any) -> str:
    return target._opname if isinstance(target, torch._ops.OpOverload) and target.namespace == "aten" else ""
