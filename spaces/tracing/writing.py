"""What in-place operations of a graph overwrite, and who reads it afterwards."""

from __future__ import annotations

import operator
from collections.abc import Iterator

import torch
from torch import fx, nn

__all__ = ["is_read_through_alias", "later_readers", "writes"]

_IN_PLACE = {operator.iadd, operator.isub, operator.imul, operator.itruediv}
_VIEWS = {
    *(operator.getitem, torch.chunk, torch.split, torch.narrow, torch.unbind, torch.transpose, torch.permute),
    *("chunk", "split", "narrow", "unbind", "select", "view", "view_as", "transpose", "permute", "unflatten"),
    *("expand", "expand_as", "unsqueeze", "squeeze", "detach", "flatten", "reshape", "contiguous"),
    *(torch.flatten, torch.reshape, torch.squeeze, torch.unsqueeze, torch.tensor_split, "tensor_split"),
}


def writes(node: fx.Node) -> Iterator[fx.Node]:
    """Yield the nodes whose value a node overwrites."""
    if node.args and isinstance(node.args[0], fx.Node) and _is_in_place(node):
        yield node.args[0]
        yield from _bases(node.args[0])
    out = node.kwargs.get("out")
    if isinstance(out, fx.Node):
        yield out


def later_readers(node: fx.Node, than: fx.Node) -> set[fx.Node]:
    """Return what reads a node after another one."""
    return {user for user in node.users if than < user}


def is_read_through_alias(written: fx.Node, by: fx.Node) -> bool:
    """Return whether a value that is overwritten is read afterwards through a view, or as what it is a view of."""
    aliases = {*_bases(written)}
    for base in (*aliases, written):
        aliases |= _views(base)
    aliases -= {written, by}
    return any(_reads(reader, by) for alias in aliases for reader in later_readers(alias, by))


def _reads(reader: fx.Node, by: fx.Node) -> bool:
    """Return whether a node reads more than the result itself, written back where it came from."""
    return not (reader.target is operator.setitem and reader.args[2] is by)


def _is_in_place(node: fx.Node) -> bool:
    if node.op == "call_method":
        return str(node.target).endswith("_") and not str(node.target).endswith("__")
    if node.op == "call_module":
        owner = node.graph.owning_module
        module = owner.get_submodule(str(node.target)) if owner is not None else nn.Identity()
        return bool(getattr(module, "inplace", False))
    named = str(getattr(node.target, "__name__", "")).partition(".")[0]
    return (
        node.target in _IN_PLACE
        or node.target is operator.setitem
        or node.kwargs.get("inplace") is True
        or (named.endswith("_") and not named.endswith("__"))
    )


def _bases(node: fx.Node) -> Iterator[fx.Node]:
    while node.op in ("call_function", "call_method") and node.target in _VIEWS:
        source = node.args[0] if node.args else None
        if not isinstance(source, fx.Node):
            return
        yield source
        node = source


def _views(node: fx.Node) -> set[fx.Node]:
    found: set[fx.Node] = set()
    for user in node.users:
        if user.op in ("call_function", "call_method") and user.target in _VIEWS and user.args[0] is node:
            found |= {user} | _views(user)
    return found
