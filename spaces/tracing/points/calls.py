"""What the nodes of a graph call: one name for a function, its method, its module and its ATen operation."""

from __future__ import annotations

import operator
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.utils._pytree import tree_map_only

from spaces.tracing.recording.marks import VALUE
from spaces.tracing.recording.writing import writes

__all__ = ["Calls", "args_of", "holds_tensors", "value_of"]

# In-place forms and operators under the names of the functions that they are.
_SAME = {
    "iadd": "add",
    "isub": "sub",
    "imul": "mul",
    "itruediv": "div",
    "truediv": "div",
    "divide": "div",
    "multiply": "mul",
    "subtract": "sub",
    "bmm": "matmul",
    "imatmul": "matmul",
    "concat": "cat",
    "concatenate": "cat",
    "safesoftmax": "softmax",
    "softmax2d": "softmax",
}
# These take no more than the shape or type of what comes second.
_LIKE = {"expandas", "viewas", "reshapeas", "typeas"}
# They take the shape of another tensor, and nothing of what is in it.
_MADE = frozenset(
    {f"{what}like" for what in ("zeros", "ones", "empty", "full", "rand", "randn", "randint", "bernoulli")}
    | {f"new{what}" for what in ("zeros", "ones", "empty", "full", "tensor")}
)


def value_of(node: Any) -> Any:
    """Return what a node computes, as found while tracing; `None` for what is no node."""
    return node.meta.get(VALUE) if isinstance(node, fx.Node) else None


def args_of(node: fx.Node, *names: str) -> list[Any]:
    """Return a call's arguments by these names; `None` where one is not given."""
    given = list(node.args)
    positional = given + [None] * (len(names) - len(given))
    first = node.kwargs.get("self")
    found = [node.kwargs.get(name, value) for name, value in zip(names, positional, strict=False)]
    return [first, *found[1:]] if found[0] is None and first is not None else found


def holds_tensors(value: Any) -> bool:
    """Return whether a value is a tensor, or has some in it."""
    if isinstance(value, tuple | list) and not isinstance(value, torch.Size):
        return any(map(holds_tensors, value))
    return isinstance(value, Tensor | dict)


class Calls:
    """The calls of a graph by name, and which of its nodes depend on the network's input.

    Args:
        graph: A graph whose nodes know what they compute.
    """

    def __init__(self, graph: fx.Graph) -> None:
        self.graph = graph
        owner = graph.owning_module
        self._modules: dict[str, nn.Module] = dict(owner.named_modules(remove_duplicate=False)) if owner else {}
        self._names = {node: self._named(node) for node in graph.nodes}
        self._data: dict[fx.Node, tuple[fx.Node, ...]] = {}
        filled = {written for node in graph.nodes for written in writes(node)}
        for node in graph.nodes:
            if self._names[node] in _MADE and node not in filled:
                continue
            read = node.all_input_nodes[:1] if self._names[node] in _LIKE else node.all_input_nodes
            sources = tuple(source for source in read if source in self._data)
            if node.op == "placeholder" or (sources and holds_tensors(value_of(node))):
                self._data[node] = sources

    def name(self, node: fx.Node) -> str:
        """Return what a node calls, in lower case and without underscores: `layernorm`, `add`, `conv2d`."""
        return self._names[node]

    def module(self, node: fx.Node) -> nn.Module | None:
        """Return the module that a node calls; `None` where it calls none."""
        return self._modules.get(str(node.target)) if node.op == "call_module" else None

    def is_opaque(self, node: fx.Node) -> bool:
        """Return whether a node calls a module that is not PyTorch's own, and was not looked into."""
        module = self.module(node)
        return module is not None and _class_of(module) is None

    def is_data(self, node: fx.Node) -> bool:
        """Return whether a node computes tensors from the network's input; shapes and constants are not."""
        return node in self._data

    def sources(self, node: fx.Node) -> tuple[fx.Node, ...]:
        """Return what a node reads of tensors that come from the network's input."""
        return self._data.get(node, ())

    def weight(self, node: Any) -> Any:
        """Return the parameter or buffer that a node is; `None` where it is none."""
        if not isinstance(node, fx.Node) or node.op != "get_attr":
            return None
        value: Any = self.graph.owning_module
        for name in str(node.target).split("."):
            value = getattr(value, name, None)
        return value

    def applied(self, node: fx.Node, source: fx.Node, tensor: Tensor) -> Any:
        """Return what a node's function or method makes of another tensor in the place of a source's.

        Raises:
            Exception: It cannot be applied to it.
        """
        values = tree_map_only(fx.Node, lambda n: tensor if n is source else value_of(n), (node.args, node.kwargs))
        args, kwargs = values
        if node.op == "call_method":
            return getattr(args[0], str(node.target))(*args[1:], **kwargs)
        function: Any = node.target
        return function(*args, **kwargs)

    def _named(self, node: fx.Node) -> str:
        if node.op == "call_module":
            module = self._modules.get(str(node.target))
            known = _class_of(module) if module is not None else None
            return _plain(known.__name__) if known is not None else ""
        if node.op == "call_method":
            return _plain(str(node.target))
        if node.op != "call_function":
            return node.op
        target: Any = node.target
        if target is operator.getitem:
            return "getitem"
        packet = getattr(target, "overloadpacket", target)
        return _plain(getattr(packet, "__name__", str(packet)))


def _class_of(module: nn.Module) -> type | None:
    """Return the class of PyTorch whose forward method a module has."""
    if not (type(module).__module__.startswith("torch.") or type(module).__name__.startswith("Parametrized")):
        return None
    return next((cls for cls in type(module).__mro__ if cls.__module__.startswith("torch.nn.modules")), None)


def _plain(name: str) -> str:
    plain = name.lower().replace("_", "")
    return _SAME.get(plain, plain)
