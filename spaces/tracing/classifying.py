"""Which kind of fusion point a meeting of feature maps is, told from the graph."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from spaces.point import Kind
from spaces.tracing.features import FeatureMaps, value_of
from spaces.tracing.meeting import Meeting

__all__ = ["Graph", "kinds"]

_CONVOLUTIONS = {torch.conv2d, functional.conv2d, functional.conv_transpose2d, torch.ops.aten.conv2d.default}
_POOLINGS = ("pool",)


class Graph:
    """Distances in a graph, counted in layers that mix positions or channels.

    Args:
        graph: The graph.
    """

    def __init__(self, graph: fx.Graph) -> None:
        self.maps = FeatureMaps(graph)
        self.order = {node: index for index, node in enumerate(graph.nodes)}
        owner = graph.owning_module
        self._modules: dict[str, nn.Module] = dict(owner.named_modules()) if owner is not None else {}
        self._above: dict[fx.Node, set[fx.Node]] = {}
        for node in graph.nodes:
            sources = [source for source in node.all_input_nodes if self._carries(source)]
            self._above[node] = {node}.union(*(self._above[source] for source in sources))

    def above(self, node: fx.Node) -> set[fx.Node]:
        """Return a node and all that it is computed from, constants and summaries left out."""
        return self._above[node]

    def weight(self, node: fx.Node) -> tuple[int, int]:
        """Return how many layers a node is, and how many of those look beyond one position with weights."""
        module = self._modules.get(str(node.target)) if node.op == "call_module" else None
        if isinstance(module, nn.modules.conv._ConvNd):
            return 1, int(max(module.kernel_size) > 1)
        if node.op == "call_function" and node.target in _CONVOLUTIONS:
            kernel = value_of(node.args[1])
            return 1, int(isinstance(kernel, Tensor) and max(kernel.shape[2:]) > 1)
        name = type(module).__name__ if module is not None else getattr(node.target, "__name__", str(node.target))
        if any(part in name.lower() for part in _POOLINGS):
            return 1, 0
        if isinstance(module, nn.Linear | nn.Bilinear) or node.target in (functional.linear, torch.matmul):
            return 1, 0
        opaque = module is not None and not type(module).__module__.startswith("torch.nn")
        return (2, 1) if opaque else (0, 0)

    def longest(self, start: fx.Node, end: fx.Node, measure: Callable[[fx.Node], int]) -> int:
        """Return the largest sum of a measure over the nodes after `start` up to `end`."""
        inside = sorted((n for n in self.above(end) if self.order[n] > self.order[start]), key=self.order.__getitem__)
        best: dict[fx.Node, int] = {start: 0}
        for node in inside:
            before = [best[source] for source in node.all_input_nodes if source in best]
            if before:
                best[node] = max(before) + measure(node)
        return best.get(end, 0)

    def between(self, start: fx.Node, end: fx.Node) -> set[fx.Node]:
        """Return what lies on ways from one node to another, both left out."""
        return {node for node in self.above(end) if start in self.above(node)} - {start, end}

    def _carries(self, node: fx.Node) -> bool:
        return self.maps.is_data(node) and not self.maps.is_summary(node)


def kinds(graph: Graph, meetings: Sequence[Meeting]) -> dict[fx.Node, Kind]:
    """Return the kind of every meeting.

    - `long_skip`: maps of different depths meet. On the way from where they part to here one goes through a
      lower resolution and back, or over other skip connections; or they come from different inputs.
    - `short_skip`: one way is the identity, or a projection beside a deeper branch.
    - `same_layer`: all ways are branches of one layer.
    """
    found: dict[fx.Node, Kind] = {}
    members = {meeting.node: set(meeting.inputs) for meeting in meetings}
    for meeting in meetings:
        found[meeting.node] = _kind(graph, meeting, members, found)
    return found


def _kind(
    graph: Graph, meeting: Meeting, members: Mapping[fx.Node, set[fx.Node]], known: Mapping[fx.Node, Kind]
) -> Kind:
    start = _parting(graph, meeting.inputs)
    if start is None:
        return "long_skip"
    if not isinstance(value_of(start), Tensor):
        return "same_layer"
    ways = set().union(*(graph.between(start, node) | {node} for node in meeting.inputs)) - {start}
    if _goes_lower(graph, ways, meeting.node):
        return "long_skip"
    nested = [node for node in ways if known.get(node, "same_layer") != "same_layer"]
    if any(not members[node] <= members[meeting.node] for node in nested):
        return "long_skip"
    return "short_skip" if _is_shortcut(graph, start, meeting) else "same_layer"


def _parting(graph: Graph, inputs: Iterable[fx.Node]) -> fx.Node | None:
    """Return the last node that all inputs are computed from."""
    common = set.intersection(*(graph.above(node) for node in inputs))
    return max(common, key=graph.order.__getitem__, default=None)


def _goes_lower(graph: Graph, ways: Iterable[fx.Node], node: fx.Node) -> bool:
    here = value_of(node).shape[2:].numel()
    return any(graph.maps.is_feature_map(way) and value_of(way).shape[2:].numel() < here for way in ways)


def _is_shortcut(graph: Graph, start: fx.Node, meeting: Meeting) -> bool:
    layers = [graph.longest(start, node, lambda n: graph.weight(n)[0]) for node in meeting.inputs]
    if min(layers) == 0:
        return max(layers) > 0
    if meeting.op != "add" or len(meeting.inputs) != 2:
        return False
    spatial = [graph.longest(start, node, lambda n: graph.weight(n)[1]) for node in meeting.inputs]
    short, deep = sorted(range(2), key=layers.__getitem__)
    return spatial[short] == 0 and spatial[deep] > 0 and layers[short] < layers[deep]
