"""What in a graph is a feature map, and what is a constant, a gate or a mask."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor, fx

from spaces.tracing.points.calls import Calls, args_of, value_of
from spaces.tracing.points.layout import Layout

__all__ = ["FeatureMaps"]

_SQUASHING = {"sigmoid", "hardsigmoid", "softmax", "tanh", "logsigmoid"}
_SPREADS = {"expand", "expandas", "broadcastto", "repeat", "tile", "interpolate", "upsample"}
# What leaves a map what it is, but for its memory.
_COPIES = {"contiguous", "clone", "to", "float", "typeas", "detach", "identity"}
_PLAIN = _COPIES | _SPREADS | {"view", "reshape", "unsqueeze", "squeeze", "permute", "transpose", "dropout"}
_PARTS = {"getitem", "chunk", "split", "unbind", "select", "slice", "tensorsplit"}
_SCALING = {"add", "sub", "mul", "div", "addcmul", "addcdiv"}
_POSITIONLESS = {"view", "reshape", "flatten", "unflatten", "matmul", "linear", "einsum", "getitem", "select"}


class FeatureMaps:
    """Tells feature maps from everything else in a graph.

    A feature map depends on the network's input, has a known axis of channels (`Layout`) and more than one
    position, unless a network of small images has come down to one by its strides: what a global pooling left is
    a summary of a map, and what is made of summaries alone is one as well.

    Args:
        graph: A graph whose nodes know what they compute.
    """

    def __init__(self, graph: fx.Graph) -> None:
        self.calls = Calls(graph)
        self.layout = Layout(self.calls)
        self._summaries: set[fx.Node] = set()
        self._gates: dict[fx.Node, bool] = {}
        self._bases: dict[fx.Node, fx.Node] = {}
        for node in graph.nodes:
            if self._summarizes(node):
                self._summaries.add(node)

    def is_candidate(self, node: fx.Node) -> bool:
        """Return whether a node computes a tensor of the input that could be a feature map, of any layout."""
        value = value_of(node)
        if not isinstance(value, Tensor) or not value.is_floating_point() or value.ndim not in (3, 4, 5):
            return False
        return self.calls.is_data(node) and node not in self._summaries and value.numel() > 0

    def is_feature_map(self, node: fx.Node) -> bool:
        """Return whether a node computes a feature map from the network's input."""
        return self.is_candidate(node) and self.layout.order(node) is not None

    def is_summary(self, node: fx.Node) -> bool:
        """Return whether a node comes from a global pooling, and has one position still."""
        return node in self._summaries

    def is_gate(self, node: fx.Node) -> bool:
        """Return whether a value ends in nothing but factors of other maps, or in the weights of an attention."""
        if any(self.calls.name(user) == "softmax" and self._over_positions(user) for user in node.users):
            return True
        ends = list(self._ends(node, set()))
        return bool(ends) and all(ends)

    def carried(self, node: fx.Node) -> tuple[fx.Node, ...]:
        """Return what a node has its map from: not the gate of a product, not the keys of an attention, no summary."""
        sources = [s for s in self.calls.sources(node) if s not in self._summaries]
        name = self.calls.name(node)
        if len(sources) < 2:
            return tuple(sources)
        if name in ("add", "sub", "mul", "div"):
            full = [s for s in sources if self._spans(s, node)]
            open_ways = [s for s in full if not self._is_factor(s)] if name == "mul" else full
            return tuple(open_ways or full or sources)
        if name in ("scaleddotproductattention", "multiheadattention"):
            return tuple(sources[:1])
        return self._rows(node, sources) if name == "matmul" else tuple(sources)

    def base(self, node: fx.Node) -> fx.Node:
        """Return the map that a node is, but for factors and summands that are gates, constants or itself."""
        if node not in self._bases:
            within = {source for source in self._scaled(node) if self._spans(source, node)}
            bases = {self.base(source) for source in within}
            self._bases[node] = bases.pop() if len(bases) == 1 else node
        return self._bases[node]

    def _scaled(self, node: fx.Node) -> tuple[fx.Node, ...]:
        """Return what a node is a multiple of, or the sum of."""
        sources, name = self.calls.sources(node), self.calls.name(node)
        if name in _COPIES or (name in _SCALING and len(sources) == 1):
            return sources
        if name == "mul":
            return tuple(s for s in sources if s not in self._summaries and not self._is_factor(s))
        return sources if name == "add" else ()

    def _spans(self, source: fx.Node, node: fx.Node) -> bool:
        own, whole = value_of(source), value_of(node)
        return isinstance(own, Tensor) and isinstance(whole, Tensor) and own.shape == whole.shape

    def _is_factor(self, node: fx.Node) -> bool:
        """Return whether a node is what others are multiplied with: it was squashed, or spread over positions."""
        if node not in self._gates:
            self._gates[node] = False
            name, sources = self.calls.name(node), self.calls.sources(node)
            spread = name in ("expand", "expandas") and all(not self._spans(source, node) for source in sources)
            passed = len(sources) == 1 and name in _PLAIN
            summary = bool(sources) and all(source in self._summaries for source in sources)
            self._gates[node] = name in _SQUASHING or spread or summary or (passed and self._is_factor(sources[0]))
        return self._gates[node]

    def _rows(self, node: fx.Node, sources: list[fx.Node]) -> tuple[fx.Node, ...]:
        """Return the factor of a matrix product that brings the positions of its result."""
        roles, ndim = self.layout.roles(node), value_of(node).ndim if isinstance(value_of(node), Tensor) else 0
        if ndim < 2 or len(sources) != 2:
            return tuple(sources)
        rows, columns = (role is not None and role.what == "positions" for role in roles[-2:])
        left, right = args_of(node, "input", "other")[:2]
        if rows:
            return (left,) if left in sources else tuple(sources)
        return (right,) if columns and right in sources else tuple(sources)

    def _ends(self, node: fx.Node, seen: set[fx.Node]) -> Iterator[bool]:
        """Yield for each way that a value takes whether it ends as a factor."""
        for user in node.users:
            if user in seen:
                continue
            seen.add(user)
            if self.calls.name(user) in _SQUASHING:
                yield self._multiplies(user)
            elif user.op == "output" or len(self.calls.sources(user)) > 1:
                yield False
            elif isinstance(value_of(user), Tensor):
                yield from self._ends(user, seen)

    def _multiplies(self, node: fx.Node) -> bool:
        """Return whether a squashed value is nothing but a factor of maps."""
        return bool(node.users) and all(
            self.calls.name(user) == "mul" or (self.calls.name(user) in _PLAIN | _PARTS and self._multiplies(user))
            for user in node.users
        )

    def _summarizes(self, node: fx.Node) -> bool:
        sources = [source for source in self.calls.sources(node) if isinstance(value_of(source), Tensor)]
        value, name = value_of(node), self.calls.name(node)
        if not sources or not isinstance(value, Tensor) or not value.is_floating_point():
            return False
        if all(source in self._summaries for source in sources):
            return name not in _SPREADS
        if "conv" in name or name in _POSITIONLESS or self.calls.is_opaque(node):
            return False
        before = [self.layout.positions(source) for source in sources if source not in self._summaries]
        pooled = any(positions is not None and positions > 1 for positions in before)
        return pooled and len(before) == 1 and self._positions_left(node) == 1

    def _positions_left(self, node: fx.Node) -> int:
        """Return the positions of what a layer has left of a map; none are 1."""
        value, left = value_of(node), 1
        for axis, role in enumerate(self.layout.roles(node)):
            if role is None or role.what not in ("batch", "channels"):
                left *= int(value.shape[axis])
        return left

    def _over_positions(self, node: fx.Node) -> bool:
        """Return whether a softmax is taken over the last axis, as attention takes it."""
        module, value = self.calls.module(node), value_of(node)
        dim = getattr(module, "dim", None) if module is not None else args_of(node, "input", "dim")[1]
        return dim is None or dim in (-1, value.ndim - 1)
