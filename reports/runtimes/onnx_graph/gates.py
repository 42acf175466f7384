"""Gates between two maps, respelled in an ONNX graph so that ONNX Runtime keeps the maps in its blocked layout.

ONNX Runtime calculates convolutions, additions and products of maps on blocks of eight or sixteen channels. What it has
for the plain layout alone, such as a subtraction, a product with a number or a mean, has maps brought out of their
blocks and back again. And in blocks it is slow to add one position to all others. So, exactly but for rounding:

    mean over H and W         a global average pooling
    L(z) + G(z)               the hidden channels of both stacks side by side, [ReLU(A z), −ReLU(B GAP(z))], then one
                              convolution for both, [A₂, −B₂]: what is broadcast is narrow, and subtracted
    2·(y + σ(a)·(x − y))      z + tanh(a / 2)·d,  z = x + y
    d = x − y                 z − 2·y, a depthwise convolution of y, to which ONNX Runtime adds z as it writes

`benchmarks/inference_form.py` times it. It works by the rewriter of onnxscript, on graphs as `torch.onnx` writes them:
batch normalisations behind convolutions are in these already. A gate that is spelled otherwise stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx_ir.passes.common import RemoveUnusedNodesPass
from onnxscript import ir
from onnxscript.rewriter import RewriteRule, RewriteRuleSet, rewrite

__all__ = ["respell_gates"]

MAPS = 4  # dimensions of (B, C, H, W)
BLOCK = 16  # channels of the largest block; others ONNX Runtime fills up itself, and then brings out of their blocks
Constant = NDArray[Any]


def respell_gates(model: ir.Model) -> None:
    """Respell the gates between two maps of an ONNX model; all else stays as it is."""
    for rule in (_JOINED, _DOUBLED, _DIFFERENCE, _POOLED):
        rewrite(model, RewriteRuleSet([rule]))
    RemoveUnusedNodesPass()(model)


def _mean(op: Any, z: Any, axes: Any) -> Any:
    return op.ReduceMean(z, axes, keepdims=1)


def _is_over_positions(_context: Any, z: ir.Value, axes: ir.Value) -> bool:
    over = _constant(axes)
    return len(_shape(z)) == MAPS and over is not None and sorted(over.flatten() % MAPS) == [2, 3]


def _pooled(op: Any, z: ir.Value, **_found: ir.Value) -> Any:
    return op.GlobalAveragePool(z)


def _two_stacks(op: Any, z: Any, p: Any, a: Any, a0: Any, a2: Any, a3: Any, b: Any, b0: Any, b2: Any, b3: Any) -> Any:
    """Two stacks of 1×1 convolutions, one of a map, one of a single position, added."""
    local = op.Conv(op.Relu(op.Conv(z, a, a0, _outputs=["inner"])), a2, a3, _outputs=["outer"])
    shared = op.Conv(op.Relu(op.Conv(p, b, b0, _outputs=["shared_inner"])), b2, b3, _outputs=["shared_outer"])
    return op.Add(local, shared)


def _are_of_map_and_position(_context: Any, z: ir.Value, p: ir.Value, **found: ir.Value) -> bool:
    outputs = ("inner", "outer", "shared_inner", "shared_outer")
    return all(_is_pointwise(found[name]) for name in outputs) and _shape(p)[2:] == (1, 1) != _shape(z)[2:]


def _joined(op: Any, z: ir.Value, p: ir.Value, outer: ir.Value, **found: Any) -> Any:
    a, a0, a2, a3, b, b0, b2, b3 = (
        found[name].const_value.numpy() for name in ("a", "a0", "a2", "a3", "b", "b0", "b2", "b3")
    )
    first, second = slice(len(a)), slice(len(a), len(a) + len(b))
    width = -(-second.stop // BLOCK) * BLOCK

    def convolved(x: ir.Value, part: str, weight: Constant, bias: Constant) -> Any:
        constants = {"weight": np.ascontiguousarray(weight), "bias": bias}
        named = [op.initializer(ir.tensor(one), name=f"{outer.name}.{part}.{key}") for key, one in constants.items()]
        return op.Conv(x, *named, kernel_shape=[1, 1])

    shared = op.Relu(convolved(p, "shared", _placed(b, second, width), _placed(b0, second, width)))
    local = op.Relu(convolved(z, "local", _placed(a, first, width), _placed(a0, first, width)))
    by_hidden = _placed(a2.swapaxes(0, 1), first, width) - _placed(b2.swapaxes(0, 1), second, width)
    return convolved(op.Sub(local, shared), "joined", by_hidden.swapaxes(0, 1), a3 + b3)


def _placed(rows: Constant, at: slice, count: int) -> Constant:
    """Return rows in their place among so many, the others 0."""
    whole = np.zeros((count, *rows.shape[1:]), rows.dtype)
    whole[at] = rows
    return whole


def _twice_between(op: Any, y: Any, a: Any, difference: Any, times: Any) -> Any:
    """Twice a map between two; their difference may be used elsewhere, too."""
    return op.Mul(op.Add(y, op.Mul(op.Sigmoid(a), difference)), times)


def _is_twice_between_maps(_context: Any, y: ir.Value, difference: ir.Value, times: ir.Value, **_found: Any) -> bool:
    factor, operands = _constant(times), _operands(difference, "Sub")
    twice = factor is not None and factor.size == 1 and factor.item() == 2
    return twice and len(operands) == 2 and operands[1] is y and _are_alike(*operands)


def _total_and_share(op: Any, a: ir.Value, difference: ir.Value, **_found: ir.Value) -> Any:
    half = op.initializer(ir.tensor(np.array(0.5, np.float32)), name=f"{a.name}.half")
    total = _total(op, *_operands(difference, "Sub"))
    return op.Add(total, op.Mul(op.Tanh(op.Mul(a, half)), difference))


def _subtraction(op: Any, x: Any, y: Any) -> Any:
    return op.Sub(x, y, _outputs=["difference"])


def _is_weighed(_context: Any, x: ir.Value, y: ir.Value, difference: ir.Value) -> bool:
    """Return whether it is a difference of two maps that a gate weighs."""
    beside = [given for node, _ in difference.uses() if node.op_type == "Mul" for given in node.inputs]
    gates = [given for given in beside if given is not None and _operands(given, "Sigmoid", "Tanh")]
    return bool(gates) and _are_alike(x, y)


def _total_less_twice(op: Any, x: ir.Value, y: ir.Value, difference: ir.Value) -> Any:
    channels: int = _shape(y)[1]
    name, minus_two = f"minus_twice_{channels}", ir.tensor(np.full([channels, 1, 1, 1], -2, np.float32))
    weight = _graph(difference).initializers.get(name) or op.initializer(minus_two, name=name)
    return op.Add(op.Conv(y, weight, group=channels, kernel_shape=[1, 1]), _total(op, x, y))


def _graph(value: ir.Value) -> ir.Graph:
    graph = value.graph
    if not isinstance(graph, ir.Graph):
        raise TypeError(f"`{value.name}` belongs to no graph")
    return graph


def _total(op: Any, x: ir.Value, y: ir.Value) -> Any:
    """Return `x + y`: the sum that there is, or a new one."""
    for node, _ in x.uses():
        if node.op_type == "Add" and {id(given) for given in node.inputs} == {id(x), id(y)}:
            return node.outputs[0]
    return op.Add(x, y)


_POOLED = RewriteRule(_mean, _pooled, _is_over_positions)
_JOINED = RewriteRule(_two_stacks, _joined, _are_of_map_and_position)
_DOUBLED = RewriteRule(_twice_between, _total_and_share, _is_twice_between_maps)
_DIFFERENCE = RewriteRule(_subtraction, _total_less_twice, _is_weighed)


def _are_alike(x: ir.Value, y: ir.Value) -> bool:
    """Return whether both are maps of one shape and known channels."""
    return len(_shape(x)) == MAPS and _shape(x) == _shape(y) and isinstance(_shape(y)[1], int)


def _is_pointwise(output: ir.Value) -> bool:
    """Return whether a value comes of a 1×1 convolution in one group, with weights and a bias that are constants."""
    node = output.producer()
    if node is None or node.op_type != "Conv":
        return False
    (_, *given), known = node.inputs, node.attributes
    constants = [one for one in map(_constant, given) if one is not None and one.dtype == np.float32]
    return (
        len(constants) == len(given)
        and constants[0].shape[2:] == (1, 1)
        and known.get_int("group", 1) == 1
        and all(one == 1 for one in known.get_ints("strides", [1]))
        and not any(known.get_ints("pads", [0]))
    )


def _operands(value: ir.Value, *operations: str) -> list[Any]:
    """Return what a value was calculated from, by one of these operations; nothing where it was not."""
    node = value.producer()
    return list(node.inputs) if node is not None and node.op_type in operations else []


def _constant(value: ir.Value | None) -> Constant | None:
    return None if value is None or value.const_value is None else value.const_value.numpy()


def _shape(value: ir.Value) -> Sequence[Any]:
    return () if value.shape is None else tuple(value.shape)
