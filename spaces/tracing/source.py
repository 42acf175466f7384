"""A graph, its fusions replaced by operators, as lines of Python."""

from __future__ import annotations

import operator
import re
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, fx, nn

from fusion_ops.errors import SpecError
from spaces.tracing.points.calls import value_of
from spaces.tracing.points.meeting import Meeting
from spaces.tracing.recording.functions import Applied

__all__ = ["LARGEST_CONSTANT", "constants", "replaced", "source"]

LARGEST_CONSTANT = 4096
_KNOWN = {"NoneType": "NoneType = type(None)", "inf": "from math import inf", "nan": "from math import nan"}


def replaced(graph: fx.Graph, meetings: Mapping[str, Meeting]) -> None:
    """Put a call of `fusions.NAME` where feature maps meet, and lead to `host` what belongs to it.

    Args:
        graph: The graph; it is changed.
        meetings: Where, by name of the operator.
    """
    for node in graph.nodes:
        if node.op in ("call_module", "get_attr") and not str(node.target).startswith("_tensor_constant"):
            node.target = f"host.{node.target}"
    stands: dict[fx.Node, fx.Node] = {}
    for name, meeting in meetings.items():
        inputs = tuple(stands.get(node, node) for node in meeting.inputs)
        with graph.inserting_before(meeting.node):
            fused = _fused(graph, f"fusions.{name}", inputs, meeting)
        for written in meeting.written:
            written.replace_all_uses_with(fused, delete_user_cb=_after(graph, meeting.node))
        meeting.node.replace_all_uses_with(fused)
        stands[meeting.node] = fused
        for node in (meeting.node, *reversed(meeting.absorbed)):
            graph.erase_node(node)


def _fused(graph: fx.Graph, target: str, inputs: tuple[fx.Node, ...], meeting: Meeting) -> fx.Node:
    """Record a call of an operator, which takes `(B, C, *size)`, on maps of any order of axes.

    The result has the axes of the host's.
    """
    order = meeting.order
    back = tuple(sorted(range(len(order)), key=order.__getitem__))
    turned = order != tuple(range(len(order)))
    if turned:
        inputs = tuple(graph.call_method("permute", (node, *order)) for node in inputs)
    fused = graph.create_node("call_module", target, inputs, {})
    if turned:
        fused = graph.call_method("permute", (fused, *back))
        # A view that follows may need the host's order in memory; of turned maps an operator may have left another.
        fused = graph.call_method("contiguous", (fused,)) if value_of(meeting.node).is_contiguous() else fused
    if meeting.divisor != 1:
        fused = graph.call_function(operator.truediv, (fused, meeting.divisor))
    return fused


def _after(graph: fx.Graph, node: fx.Node) -> Any:
    order = {member: index for index, member in enumerate(graph.nodes)}
    return lambda user: order[user] > order[node]


def source(graph: fx.Graph) -> tuple[str, ...]:
    """Return lines of Python that import what the graph uses and define `forward`."""
    for node in graph.nodes:
        node.type = None  # annotations say nothing here, and may be texts
    code = graph.python_code("self")
    body = [line for line in code.src.rstrip().splitlines() if line.strip()]
    used = set(re.findall(r"[A-Za-z_]\w*", code.src))
    imports = {_import(name, value) for name, value in code.globals.items() if name in used and value is not getattr}
    names = {f"{name} = {value.__qualname__}" for name, value in code.globals.items() if isinstance(value, Applied)}
    return (*sorted(imports), *sorted(names), *body)


def _import(name: str, value: Any) -> str:
    if name in _KNOWN:
        return _KNOWN[name]
    if isinstance(value, ModuleType):
        return f"import {name}" if value.__name__ == name else f"import {value.__name__} as {name}"
    if isinstance(value, Applied):
        return f"from {value.__module__} import {value.__qualname__.partition('.')[0]}"
    if name == "device":
        return "from torch import device"
    module, qualified = getattr(value, "__module__", None), getattr(value, "__qualname__", "")
    if not module or not qualified.isidentifier():
        raise SpecError(f"the network uses `{name}`, which is not at the top level of a module; define it there.")
    return f"from {module} import {qualified}" + ("" if qualified == name else f" as {name}")


def constants(graph: fx.Graph, root: nn.Module) -> dict[str, tuple[Any, str, tuple[int, ...]]]:
    """Return the tensors that a forward method makes from nothing but numbers: values, type and shape.

    Raises:
        SpecError: One is too large to be written down.
    """
    found: dict[str, tuple[Any, str, tuple[int, ...]]] = {}
    for node in graph.nodes:
        if node.op == "get_attr" and str(node.target).startswith("_tensor_constant"):
            tensor: Tensor = getattr(root, str(node.target))
            if tensor.numel() > LARGEST_CONSTANT or tensor.device == torch.device("meta"):
                raise SpecError(
                    f"`forward` makes a constant tensor of {tensor.numel():,} values; at most {LARGEST_CONSTANT:,} "
                    "can be traced. Make it a buffer: self.register_buffer(name, tensor)."
                )
            values = tuple(tensor.detach().cpu().flatten().tolist())
            found[str(node.target)] = (values, str(tensor.dtype).removeprefix("torch."), tuple(tensor.shape))
    return found
