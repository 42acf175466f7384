"""Graphs by `torch.export`, for networks that symbolic tracing cannot follow."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from contextlib import redirect_stderr
from io import StringIO
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.export import Dim
from torch.utils import _pytree as pytree
from torch.utils.flop_counter import FlopCounterMode

from spaces.tracing.marks import SCOPE, VALUE
from spaces.tracing.writing import mark_writes, versions

__all__ = ["exported_graph"]


def exported_graph(root: nn.Module, meta: nn.Module, examples: Sequence[Tensor]) -> tuple[fx.Graph, int]:
    """Return a network's graph of ATen operations and its FLOPs; nodes know what they compute, in which module.

    The graph takes batches of any size, or there is none; branches on other sizes are decided by the examples'.

    Args:
        root: The network, in the mode that is to be traced.
        meta: The same on the meta device; every node is run with it once.
        examples: Example inputs; only their shapes and types matter.

    Raises:
        Exception: Whatever PyTorch raises where it cannot export the network.
    """
    inputs = tuple(torch.zeros(max(len(e), 2), *e.shape[1:], dtype=e.dtype) for e in examples)
    # What cannot be exported PyTorch prints, as far as it got.
    with warnings.catch_warnings(), redirect_stderr(StringIO()):
        warnings.simplefilter("ignore")
        shapes = tuple({0: Dim.DYNAMIC} for _ in inputs)
        program = torch.export.export(root, inputs, dynamic_shapes=shapes, strict=True)
        module: Any = program.module(check_guards=False)
    graph: fx.Graph = module.graph
    _plain(graph, program.call_spec.out_spec)
    _on_the_inputs_device(graph)
    for node in graph.nodes:
        node.meta[SCOPE] = _scope(node)
    counter = FlopCounterMode(display=False)
    with counter:
        _Evaluated(module, graph, meta).run(*examples)
    return graph, int(counter.get_total_flops())


class _Evaluated(fx.Interpreter):
    """Runs a graph, with the tensors of another copy of its network, and keeps what every node computes."""

    def __init__(self, module: Any, graph: fx.Graph, meta: nn.Module) -> None:
        super().__init__(module, graph=graph, garbage_collect_values=False)
        self._meta = meta

    def run_node(self, n: fx.Node) -> Any:
        before = versions(n)
        value = super().run_node(n)
        n.meta[VALUE] = value
        mark_writes(n, before)
        return value

    def fetch_attr(self, target: str) -> Any:
        for owner in (self._meta, self.module):
            value: Any = owner
            for name in target.split("."):
                value = getattr(value, name, None)
            if value is not None:
                return value.to("meta") if isinstance(value, Tensor) else value
        raise AttributeError(target)


def _plain(graph: fx.Graph, out_spec: Any) -> None:
    """Let the graph take its inputs one by one and return them in their structure, as a function does."""
    graph.set_codegen(fx.graph.CodeGen())
    for node in list(graph.nodes):
        if node.op == "call_module" and str(node.target).startswith("_guards"):
            graph.erase_node(node)
    output = next(node for node in graph.nodes if node.op == "output")
    output.args = (pytree.tree_unflatten(list(output.args[0]), out_spec),)


def _on_the_inputs_device(graph: fx.Graph) -> None:
    """Let tensors that the graph makes be where its first input is, not where it was traced."""
    first = next(node for node in graph.nodes if node.op == "placeholder")
    made = [node for node in graph.nodes if isinstance(node.kwargs.get("device"), torch.device)]
    moved = [node for node in graph.nodes if any(isinstance(argument, torch.device) for argument in node.args)]
    if not made and not moved:
        return
    with graph.inserting_after(first):
        device = graph.call_function(getattr, (first, "device"))
    for node in made:
        node.kwargs = {**node.kwargs, "device": device}
    for node in moved:
        node.args = tuple(device if isinstance(argument, torch.device) else argument for argument in node.args)


def _scope(node: fx.Node) -> str:
    """Return the path of the module in whose forward method a node was."""
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    path = str(stack[-1][0]) if stack else ""
    return "" if path.startswith("_") else path.removeprefix("L['self'].").removeprefix("L['self']")
