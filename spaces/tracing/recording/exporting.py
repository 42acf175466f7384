"""Graphs by `torch.export`, for networks that symbolic tracing cannot follow."""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.export import Dim
from torch.utils import _pytree as pytree
from torch.utils.flop_counter import FlopCounterMode

from spaces.tracing.recording.marks import PLACE, SCOPE, VALUE
from spaces.tracing.recording.randomness import Generators
from spaces.tracing.recording.refusals import UnfollowableError
from spaces.tracing.recording.worlds import batches
from spaces.tracing.recording.writing import mark_writes, versions

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
    batched = [example.ndim > 0 and len(example) == len(examples[0]) for example in examples]
    inputs = tuple(torch.zeros(e.shape, dtype=e.dtype) for e in batches(examples, 2))
    if _draws(meta, batches(examples, 2)):
        raise UnfollowableError("it draws random numbers outside of PyTorch's functions")
    shapes = tuple({0: Dim.DYNAMIC} if is_batch else None for is_batch in batched)
    program = torch.export.export(root, inputs, dynamic_shapes=shapes, strict=True)
    module: Any = program.module(check_guards=False)
    graph: fx.Graph = module.graph
    if any(isinstance(getattr(module, str(node.target), None), fx.GraphModule) for node in graph.nodes):
        raise UnfollowableError("torch.export keeps a part of it as a graph of its own")
    _keep_constants(root, module, graph)
    _plain(graph, program.call_spec.out_spec)
    _on_the_inputs_device(graph)
    for node in graph.nodes:
        node.meta[SCOPE] = _scope(node)
        node.meta[PLACE] = (node.meta[SCOPE], _lines(node))
    counter = FlopCounterMode(display=False)
    with counter:
        _Evaluated(module, graph, meta).run(*examples)
    return graph, int(counter.get_total_flops())


def _draws(meta: nn.Module, examples: Sequence[Tensor]) -> bool:
    """Return whether a network draws from generators other than PyTorch's: what was drawn would be kept for good."""
    generators = Generators(meta, foreign=True)
    states = generators.states()
    with suppress(Exception):
        copy.deepcopy(meta)(*examples)
    return generators.have_moved(states)


def _keep_constants(root: nn.Module, module: Any, graph: fx.Graph) -> None:
    """Give the network the tensors that its graph holds, under the names that are written down with it."""
    held: dict[str, str] = {}
    for node in graph.nodes:
        name = str(node.target)
        if node.op == "get_attr" and _attribute(root, name) is None:
            held.setdefault(name, f"_tensor_constant{len(held)}")
    for node in graph.nodes:
        if node.op == "get_attr":
            node.target = held.get(str(node.target), node.target)
    for name, constant in held.items():
        for owner in (root, module):
            setattr(owner, constant, _attribute(module, name))


def _attribute(owner: Any, path: str) -> Any:
    """Return an attribute by its path; `None` where there is none."""
    for name in path.split("."):
        owner = getattr(owner, name, None)
    return owner


def _lines(node: fx.Node) -> tuple[tuple[str, int, int], ...]:
    """Return file and line of the user's frames, the innermost first."""
    found = re.findall(r'File "(.+?)", line (\d+)', node.meta.get("stack_trace") or "")
    return tuple((file, int(number), 0) for file, number in reversed(found))


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
            value = _attribute(owner, target)
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
