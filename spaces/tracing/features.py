"""What in a graph is a feature map, and what is a constant, a gate or a mask."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from spaces.tracing.tracer import VALUE

__all__ = ["FeatureMaps", "args_of", "value_of"]

_PRODUCTS = {operator.mul, operator.imul, torch.mul, "mul", "mul_", torch.ops.aten.mul.Tensor}
_SQUASHING = {
    *(torch.sigmoid, torch.softmax, torch.tanh, functional.sigmoid, functional.hardsigmoid, functional.softmax),
    *("sigmoid", "softmax", "tanh", functional.tanh, torch.sigmoid_, "sigmoid_"),
    *(nn.Sigmoid, nn.Hardsigmoid, nn.Softmax, nn.Softmax2d, nn.Tanh),
    *(torch.ops.aten.sigmoid.default, torch.ops.aten.softmax.int, torch.ops.aten.hardsigmoid.default),
}
_SOFTMAX = {
    *(torch.softmax, functional.softmax, "softmax", nn.Softmax, torch.ops.aten.softmax.int),
    *(torch.ops.aten._softmax.default,),
}
_SPATIAL = 4


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


class FeatureMaps:
    """Tells feature maps `(B, C, H, W)` from everything else in a graph.

    A feature map depends on the network's input and has more than one position, unless a network of small
    images has come down to one by its strides: what a global pooling left is a summary of a map, and what is
    made of summaries alone is one as well.

    Args:
        graph: A graph whose nodes know what they compute.
    """

    def __init__(self, graph: fx.Graph) -> None:
        self._data: set[fx.Node] = set()
        self._summaries: set[fx.Node] = set()
        self._target: dict[fx.Node, Any] = {}
        modules = dict(graph.owning_module.named_modules()) if graph.owning_module is not None else {}
        for node in graph.nodes:
            module = modules.get(str(node.target)) if node.op == "call_module" else None
            self._target[node] = type(module) if module is not None else node.target
            self._read(node)

    def is_feature_map(self, node: fx.Node) -> bool:
        """Return whether a node computes a feature map from the network's input."""
        value = value_of(node)
        if not isinstance(value, Tensor) or not value.is_floating_point():
            return False
        return value.ndim == _SPATIAL and node in self._data and node not in self._summaries

    def is_data(self, node: fx.Node) -> bool:
        """Return whether a node computes tensors from the network's input; shapes and constants are not."""
        return node in self._data

    def is_summary(self, node: fx.Node) -> bool:
        """Return whether a node comes from a global pooling, and has one position still."""
        return node in self._summaries

    def is_gate(self, node: fx.Node) -> bool:
        """Return whether a value ends in nothing but factors of other maps, or in the weights of an attention."""
        if any(self._target[user] in _SOFTMAX and _over_positions(user) for user in node.users):
            return True
        ends = list(self._ends(node, set()))
        return bool(ends) and all(ends)

    def _ends(self, node: fx.Node, seen: set[fx.Node]) -> Iterator[bool]:
        """Yield for each way that a value takes whether it ends as a factor."""
        for user in node.users:
            if user in seen:
                continue
            seen.add(user)
            if self._target[user] in _SQUASHING:
                yield bool(user.users) and all(self._target[after] in _PRODUCTS for after in user.users)
            elif user.op == "output" or len([n for n in user.all_input_nodes if n in self._data]) > 1:
                yield False
            elif isinstance(value_of(user), Tensor):
                yield from self._ends(user, seen)

    def _read(self, node: fx.Node) -> None:
        value = value_of(node)
        sources = [source for source in node.all_input_nodes if source in self._data]
        if node.op == "placeholder" or (sources and _holds_tensors(value)):
            self._data.add(node)
        if not sources or not _is_one_position(value):
            return
        maps = [source for source in sources if _is_map(source)]
        pooled = bool(maps) and any(not _is_one_position(value_of(source)) for source in maps)
        if (pooled and not self._is_convolution(node)) or (maps and all(source in self._summaries for source in maps)):
            self._summaries.add(node)

    def _is_convolution(self, node: fx.Node) -> bool:
        target = self._target[node]
        convolutional = isinstance(target, type) and issubclass(target, nn.modules.conv._ConvNd)
        return convolutional or "conv" in getattr(target, "__name__", str(target))


def _is_map(node: fx.Node) -> bool:
    value = value_of(node)
    return isinstance(value, Tensor) and value.ndim == _SPATIAL


def _is_one_position(value: Any) -> bool:
    return isinstance(value, Tensor) and value.ndim == _SPATIAL and value.shape[2:].numel() == 1


def _holds_tensors(value: Any) -> bool:
    if isinstance(value, tuple | list) and not isinstance(value, torch.Size):
        return any(map(_holds_tensors, value))
    return isinstance(value, Tensor | dict)


def _over_positions(node: fx.Node) -> bool:
    """Return whether a softmax is taken over the last axis, as attention takes it."""
    dim = args_of(node, "input", "dim")[1]
    return dim is None or dim in (-1, _SPATIAL - 1)
