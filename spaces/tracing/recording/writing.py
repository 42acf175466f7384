"""What in-place operations of a graph overwrite, and who reads it afterwards."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor, fx

from spaces.tracing.recording.marks import MEMORY, VALUE, WRITES

__all__ = ["is_read_through_alias", "later_readers", "mark_writes", "read_results", "versions", "writes"]


def versions(node: fx.Node) -> dict[fx.Node, int]:
    """Return how often each tensor that a node reads has been overwritten, before the node is run."""
    values = {source: source.meta.get(VALUE) for source in node.all_input_nodes}
    return {source: value._version for source, value in values.items() if isinstance(value, Tensor)}


def mark_writes(node: fx.Node, before: Mapping[fx.Node, int]) -> None:
    """Mark a node that has been run with the nodes whose tensors it has overwritten."""
    node.meta[WRITES] = tuple(source for source, version in before.items() if source.meta[VALUE]._version != version)


def read_results(graph: fx.Graph) -> None:
    """Let what reads an overwritten tensor read the result of the writing node, which is the same tensor."""
    _mark_memory(graph)
    order = {node: index for index, node in enumerate(graph.nodes)}
    same: dict[int, list[fx.Node]] = {}
    for node in graph.nodes:
        value = node.meta.get(VALUE)
        if not isinstance(value, Tensor):
            continue
        if any(written.meta[VALUE] is value for written in node.meta.get(WRITES, ())):
            for earlier in same.get(id(value), ()):
                earlier.replace_all_uses_with(node, delete_user_cb=_later(order, node))
        same.setdefault(id(value), []).append(node)


def writes(node: fx.Node) -> Iterator[fx.Node]:
    """Yield the nodes whose value a node overwrites, or a part of it."""
    for written in node.meta.get(WRITES, ()):
        yield written
        yield from _aliases(written)


def later_readers(node: fx.Node, than: fx.Node) -> set[fx.Node]:
    """Return what reads a node after another one."""
    return {user for user in node.users if than < user}


def is_read_through_alias(written: fx.Node, by: fx.Node) -> bool:
    """Return whether a value that is overwritten is read afterwards through a view, or as what it is a view of."""
    aliases = (alias for alias in _aliases(written) if alias < by)
    return any(_reads(reader, by) for alias in aliases for reader in later_readers(alias, by))


def _reads(reader: fx.Node, by: fx.Node) -> bool:
    """Return whether a node reads more than the result itself, written back where it came from."""
    return not (reader.target is operator.setitem and reader.args[2] is by)


def _aliases(node: fx.Node) -> Iterator[fx.Node]:
    """Yield the other nodes whose tensors lie in the same memory, and are not the very same."""
    yield from (other for other in node.meta.get(MEMORY, ()) if other.meta[VALUE] is not node.meta[VALUE])


def _mark_memory(graph: fx.Graph) -> None:
    """Mark every node with all those whose tensors lie in its tensor's memory."""
    together: dict[int, list[fx.Node]] = {}
    for node in graph.nodes:
        value = node.meta.get(VALUE)
        if isinstance(value, Tensor):
            node.meta[MEMORY] = together.setdefault(value.untyped_storage()._cdata, [])
            node.meta[MEMORY].append(node)


def _later(order: Mapping[fx.Node, int], node: fx.Node) -> Any:
    return lambda user: order[user] > order[node]
