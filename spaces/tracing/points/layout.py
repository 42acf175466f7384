"""Which axis of a tensor holds the channels: told by what computes it and what is done with it.

Layers that mix channels or positions say which axes are which; views, element-wise operations and matrix products
carry that on. What a tensor comes from counts first; what is done with it fills in what is not known from there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from torch import Tensor, fx

from spaces.tracing.points.axes import Flow, flows
from spaces.tracing.points.calls import Calls, value_of
from spaces.tracing.points.evidence import stated, wanted
from spaces.tracing.points.roles import BATCH, PLANAR, Role, Roles, agreed, joined, split
from spaces.tracing.recording.marks import OTHER as OTHER_BATCH

__all__ = ["Layout"]

_ROUNDS = 6


class Layout:
    """The roles of the axes of every tensor of a graph that comes from its input.

    Args:
        calls: The calls of the graph.
    """

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._roles: dict[fx.Node, Roles] = {}
        self._orders: dict[fx.Node, tuple[int, ...] | None] = {}
        self._images = next(map(_lengths, (n for n in calls.graph.nodes if n.op == "placeholder")), ())
        nodes = [n for n in calls.graph.nodes if calls.is_data(n) and isinstance(value_of(n), Tensor)]
        self._flows = {node: flows(node, calls) for node in nodes}
        self._users: dict[fx.Node, list[tuple[fx.Node, Flow]]] = {node: [] for node in nodes}
        for node in nodes:
            for flow in self._flows[node]:
                if flow.source in self._users:
                    self._users[flow.source].append((node, flow))
        self._wanted = {node: tuple(wanted(node, calls)) for node in nodes}
        self._settle(nodes)

    def roles(self, node: fx.Node) -> Roles:
        """Return the role of every axis of a node's value; `None` where nothing tells.

        A first axis of which nothing else is known is that of the images where it is as long as theirs, as after
        `x.flatten(0, 1)` and back.
        """
        roles = self._roles.get(node, ())
        if roles and roles[0] is None and BATCH not in roles and _lengths(node) == self._images:
            return (BATCH, *roles[1:])
        return roles

    def order(self, node: fx.Node) -> tuple[int, ...] | None:
        """Return the axes of a feature map as batch, channels, positions; `None` where it is none.

        It has one axis of the images, one that the heaviest evidence says holds channels, and one to three others,
        none of which is a part of channels, such as the heads of an attention.
        """
        if node not in self._orders:
            self._orders[node] = None if self.obstacle(node) else self._ordered(node)
        return self._orders[node]

    def obstacle(self, node: fx.Node) -> str:
        """Return why a node's value is no map whose channels are known; an empty text where it is one."""
        roles = self.roles(node)
        what = [role.what if role else None for role in roles]
        if len(roles) not in PLANAR:
            return f"it has {len(roles)} axes"
        if "conflict" in what:
            return "what says which axis holds the channels disagrees"
        if what.count("batch") != 1:
            return "it has no axis of its own for the images of a batch, as in windows of images"
        channels = self._channels(roles)
        if len(channels) > 1:
            return "two axes could be the channels"
        if not channels and "part" not in what:
            return "nothing says which axis holds the channels"
        if {"part", "other"} & {part for axis, part in enumerate(what) if axis not in channels}:
            return "another axis holds parts of the channels, such as the heads of an attention"
        return ""

    def positions(self, node: fx.Node) -> int | None:
        """Return how many positions a map has; `None` where a node's value is no map."""
        order = self.order(node)
        return value_of(node).shape.numel() // _sized(node, order[:2]) if order and value_of(node).numel() else None

    def _ordered(self, node: fx.Node) -> tuple[int, ...]:
        roles = self.roles(node)
        batch = next(axis for axis, role in enumerate(roles) if role is not None and role.what == "batch")
        channels = self._channels(roles)[0]
        return (batch, channels, *(axis for axis in range(len(roles)) if axis not in (batch, channels)))

    @staticmethod
    def _channels(roles: Roles) -> list[int]:
        """Return the axes that the heaviest evidence says hold channels, or the one part of them that is left."""
        weights = {axis: role.weight for axis, role in enumerate(roles) if role is not None and role.what == "channels"}
        parts = [axis for axis, role in enumerate(roles) if role is not None and role.what == "part"]
        heaviest = [axis for axis, weight in weights.items() if weight == max(weights.values())]
        return heaviest or (parts if len(parts) == 1 else [])

    def _settle(self, nodes: Sequence[fx.Node]) -> None:
        for node in nodes:
            unknown: Roles = (None,) * value_of(node).ndim
            self._roles[node] = (BATCH, *unknown[1:]) if node.op == "placeholder" and unknown else unknown
        for _ in range(_ROUNDS):
            before = dict(self._roles)
            for node in nodes:
                self._carry(node)
            for node in reversed(nodes):
                self._fill(node)
            if self._roles == before:
                return

    def _carry(self, node: fx.Node) -> None:
        """Tell a node's axes by what it is computed from."""
        known = self._roles[node]
        if node.op == "placeholder":
            return
        found = self._arrived(node)
        said = stated(node, found, self._calls)
        self._roles[node] = tuple(new if new is not None else old for new, old in zip(said, known, strict=True))

    def _arrived(self, node: fx.Node) -> list[Role | None]:
        votes: list[list[Role]] = [[] for _ in self._roles[node]]
        for flow in self._flows[node]:
            roles = self._roles.get(flow.source)
            if roles is None:
                continue
            shape = value_of(flow.source).shape
            for old, new in flow.groups:
                arriving = joined([roles[axis] for axis in old if shape[axis] > 1 or len(old) == 1])
                for axis in new:
                    role = arriving if len(new) == 1 else split(arriving)
                    if role is not None:
                        votes[axis].append(role)
        return [agreed(roles) for roles in votes]

    def _fill(self, node: fx.Node) -> None:
        """Tell a node's unknown axes by what is done with it."""
        known = self._roles[node]
        if all(role is not None for role in known):
            return
        votes: list[list[Role]] = [[] for _ in known]
        for user in node.users:
            for source, roles in self._wanted.get(user, ()):
                if source is node:
                    _vote(votes, roles)
        for user, flow in self._users[node]:
            for old, new in flow.groups:
                role = self._roles[user][new[0]]
                if len(old) == len(new) == 1 and role is not None and role.what != "conflict":
                    votes[old[0]].append(role)
        self._roles[node] = tuple(
            old if old is not None else agreed(found) for old, found in zip(known, votes, strict=True)
        )


def _lengths(node: fx.Node) -> tuple[int, ...]:
    """Return how long a node's first axis is, for a batch and for another one."""
    values = (value_of(node), node.meta.get(OTHER_BATCH, value_of(node)))
    return tuple(int(value.shape[0]) for value in values if isinstance(value, Tensor) and value.ndim)


def _sized(node: fx.Node, axes: Iterable[int]) -> int:
    size = 1
    for axis in axes:
        size *= int(value_of(node).shape[axis])
    return size


def _vote(votes: list[list[Role]], roles: Roles) -> None:
    for vote, role in zip(votes, roles, strict=True):
        if role is not None:
            vote.append(role)
