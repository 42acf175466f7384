"""The ways that feature maps take through a graph."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from torch import Tensor, fx, nn

from spaces.tracing.points.calls import args_of, value_of
from spaces.tracing.points.features import FeatureMaps

__all__ = ["Ways"]


class Ways:
    """What lies between the nodes of a graph, constants, summaries and gates left out.

    Args:
        maps: The feature maps of the graph.
    """

    def __init__(self, maps: FeatureMaps) -> None:
        self.maps = maps
        self._nodes: list[fx.Node] = list(maps.calls.graph.nodes)
        self.order = {node: index for index, node in enumerate(self._nodes)}
        self._before = {node: maps.carried(node) for node in self._nodes}
        # One bit a node: sets of thousands of nodes for each of thousands would be slow.
        self._above: list[int] = []
        self._roots = sum(1 << index for index, node in enumerate(self._nodes) if node.op == "placeholder")
        for index, node in enumerate(self._nodes):
            bits = 1 << index
            for source in self._before[node]:
                bits |= self._above[self.order[source]]
            self._above.append(bits)

    def is_rooted(self, node: fx.Node) -> bool:
        """Return whether a node has a map of the network's input, and not a summary that was spread again."""
        return bool(self._above[self.order[node]] & self._roots)

    def parting(self, nodes: Iterable[fx.Node]) -> fx.Node | None:
        """Return the last node that all of these are computed from."""
        common = -1
        for node in nodes:
            common &= self._above[self.order[node]]
        return self._nodes[common.bit_length() - 1] if common > 0 else None

    def between(self, start: fx.Node, ends: Iterable[fx.Node]) -> list[fx.Node]:
        """Return what lies on ways from one node to others, those included, in the order of the graph."""
        first, seen = self.order[start], {start}
        waiting = [end for end in ends if end is not start]
        while waiting:
            node = waiting.pop()
            if node in seen or not self._above[self.order[node]] >> first & 1:
                continue
            seen.add(node)
            waiting += self._before[node]
        return sorted(seen - {start}, key=self.order.__getitem__)

    def longest(self, start: fx.Node, end: fx.Node, measure: Callable[[fx.Node], int]) -> int:
        """Return the largest sum of a measure over the nodes after `start` up to `end`."""
        best: dict[fx.Node, int] = {start: 0}
        for node in self.between(start, (end,)):
            best[node] = max(best[source] for source in self._before[node] if source in best) + measure(node)
        return best[end]

    def positions(self, nodes: Iterable[fx.Node]) -> Mapping[fx.Node, int]:
        """Return the positions of those nodes that are feature maps."""
        maps = (node for node in nodes if self.maps.is_feature_map(node))
        return {node: positions for node in maps if (positions := self.maps.layout.positions(node)) is not None}

    def layers(self, node: fx.Node) -> int:
        """Return how many layers with weights a node is."""
        name = self.maps.calls.name(node)
        if self.maps.calls.is_opaque(node):
            return 2
        if "conv" in name or name == "linear":
            return int(not self._is_fixed(node))
        return int(name in ("bilinear", "matmul", "scaleddotproductattention", "multiheadattention"))

    def pools(self, node: fx.Node) -> int:
        """Return 1 for a pooling, or a convolution whose kernel is not learnt."""
        name = self.maps.calls.name(node)
        return int("pool" in name or (("conv" in name) and self._is_fixed(node)))

    def mixes(self, node: fx.Node) -> int:
        """Return 1 for a layer with weights that looks beyond one position, and for an attention."""
        calls, name = self.maps.calls, self.maps.calls.name(node)
        if calls.is_opaque(node) or name in ("scaleddotproductattention", "multiheadattention"):
            return 1
        if "conv" not in name or self._is_fixed(node):
            return int(name == "matmul" and len(calls.sources(node)) > 1)
        module = calls.module(node)
        kernel = module.weight if module is not None else value_of(args_of(node, "input", "weight")[1])
        return int(isinstance(kernel, Tensor) and max(kernel.shape[2:], default=1) > 1)

    def _is_fixed(self, node: fx.Node) -> bool:
        """Return whether a convolution's kernel is a buffer, as a blur's."""
        if node.op == "call_module":
            return False
        kernel = self.maps.calls.weight(args_of(node, "input", "weight")[1])
        return isinstance(kernel, Tensor) and not isinstance(kernel, nn.Parameter)
