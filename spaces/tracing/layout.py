"""Which axis of a tensor holds the channels: told by what computes it and what is done with it.

Layers that mix channels or positions say which axes are which; views, element-wise operations and matrix products
carry that on. What a tensor comes from counts first; what is done with it fills in what is not known from there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal, NamedTuple

from torch import Tensor, fx, nn

from spaces.tracing.axes import Flow, flows
from spaces.tracing.calls import Calls, args_of, value_of

__all__ = ["Layout", "Role"]

LAYER, NORM, FEATURES = 3, 2, 1
_ROUNDS = 6


class Role(NamedTuple):
    """What an axis is.

    Attributes:
        what: `batch`; `channels`; `positions`; `part`, one of several into which channels were split; `other`,
            images and their parts together; `conflict`, where the evidence differs.
        weight: How much that is worth: a convolution's word more than a linear layer's.
    """

    what: Literal["batch", "channels", "positions", "part", "other", "conflict"]
    weight: int = LAYER


Roles = tuple[Role | None, ...]
BATCH, POSITIONS, PART, OTHER, CONFLICT = map(Role, ("batch", "positions", "part", "other", "conflict"))  # type: ignore[arg-type]
CHANNELS = Role("channels")
# The axes after the first, of maps that a convolution reads.
_PLANAR = {ndim: (CHANNELS, *(POSITIONS,) * (ndim - 2)) for ndim in (3, 4, 5)}


class Layout:
    """The roles of the axes of every tensor of a graph that comes from its input.

    Args:
        calls: The calls of the graph.
    """

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._roles: dict[fx.Node, Roles] = {}
        self._orders: dict[fx.Node, tuple[int, ...] | None] = {}
        inputs = [value_of(node) for node in calls.graph.nodes if node.op == "placeholder"]
        self._images = next((int(value.shape[0]) for value in inputs if isinstance(value, Tensor) and value.ndim), 0)
        nodes = [n for n in calls.graph.nodes if calls.is_data(n) and isinstance(value_of(n), Tensor)]
        self._flows = {node: flows(node, calls) for node in nodes}
        self._users: dict[fx.Node, list[tuple[fx.Node, Flow]]] = {node: [] for node in nodes}
        for node in nodes:
            for flow in self._flows[node]:
                if flow.source in self._users:
                    self._users[flow.source].append((node, flow))
        self._wanted = {node: tuple(_wanted(node, calls)) for node in nodes}
        self._settle(nodes)

    def roles(self, node: fx.Node) -> Roles:
        """Return the role of every axis of a node's value; `None` where nothing tells.

        A first axis of which nothing else is known is that of the images where it is as long as theirs, as after
        `x.flatten(0, 1)` and back.
        """
        roles = self._roles.get(node, ())
        if roles and roles[0] is None and int(value_of(node).shape[0]) == self._images:
            return roles if BATCH in roles else (BATCH, *roles[1:])
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
        if len(roles) not in _PLANAR:
            return f"it has {len(roles)} axes"
        if "conflict" in what:
            return "what says which axis holds the channels disagrees"
        if what.count("batch") != 1:
            return "it has no axis of its own for the images of a batch, as in windows of images"
        channels = self._channels(roles)
        if len(channels) != 1:
            return "nothing says which axis holds the channels" if not channels else "two axes could be the channels"
        if {"part", "other"} & {part for axis, part in enumerate(what) if axis != channels[0]}:
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
        stated = _stated(node, found, self._calls)
        self._roles[node] = tuple(new if new is not None else old for new, old in zip(stated, known, strict=True))

    def _arrived(self, node: fx.Node) -> list[Role | None]:
        votes: list[list[Role]] = [[] for _ in self._roles[node]]
        for flow in self._flows[node]:
            roles = self._roles.get(flow.source)
            if roles is None:
                continue
            shape = value_of(flow.source).shape
            for old, new in flow.groups:
                arriving = _joined([roles[axis] for axis in old if shape[axis] > 1 or len(old) == 1])
                for axis in new:
                    role = arriving if len(new) == 1 else _split(arriving)
                    if role is not None:
                        votes[axis].append(role)
        return [_agreed(roles) for roles in votes]

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
            old if old is not None else _agreed(found) for old, found in zip(known, votes, strict=True)
        )


def _sized(node: fx.Node, axes: Iterable[int]) -> int:
    size = 1
    for axis in axes:
        size *= int(value_of(node).shape[axis])
    return size


def _vote(votes: list[list[Role]], roles: Roles) -> None:
    for vote, role in zip(votes, roles, strict=True):
        if role is not None:
            vote.append(role)


def _agreed(roles: Sequence[Role]) -> Role | None:
    """Return what several say of one axis; a linear layer's word does not count against others'."""
    if not roles:
        return None
    heavy = [role for role in roles if role.weight > FEATURES] or list(roles)
    if {role.what for role in roles} == {"channels", "part"}:  # all of one head
        heavy = [role for role in roles if role.what == "channels"]
    return max(heavy, key=lambda role: role.weight) if len({role.what for role in heavy}) == 1 else CONFLICT


def _joined(roles: Sequence[Role | None]) -> Role | None:
    """Return the role of an axis into which several go."""
    if len(roles) < 2:
        return roles[0] if roles else None
    what = {role.what if role is not None else None for role in roles}
    if "conflict" in what:
        return CONFLICT
    if what & {"batch", "other"}:
        return OTHER
    if what == {"part"}:
        return Role("channels", FEATURES)
    return POSITIONS if what <= {"positions", "part"} else None


def _split(role: Role | None) -> Role | None:
    """Return the role of each of the axes into which one is split."""
    if role is None or role.what == "other":
        return None
    return {"channels": PART, "batch": OTHER}.get(role.what, role)


def _stated(node: fx.Node, carried: Sequence[Role | None], calls: Calls) -> Sequence[Role | None]:
    """Return the roles of a result's axes, given those that its sources' axes bring."""
    name, ndim = calls.name(node), len(carried)
    if name == "stack":
        dim = (args_of(node, "tensors", "dim")[1] or 0) % ndim
        return [OTHER if axis == dim else role for axis, role in enumerate(carried)]
    if _is_planar(node, name, ndim, calls):
        return [carried[0], *(_confirmed(role, own) for role, own in zip(carried[1:], _PLANAR[ndim], strict=True))]
    if _normalized(node, calls) == 1:
        return [*carried[:-1], _confirmed(carried[-1], Role("channels", NORM))]
    if name in ("linear", "scaleddotproductattention") or _is_weighted(node, calls):
        last = carried[-1]
        return [*carried[:-1], last if last and last.what == "positions" else Role("channels", FEATURES)]
    whole = _whole(node, calls)
    return _guessed(node, whole, carried, calls) if calls.is_opaque(whole) else carried


def _confirmed(role: Role | None, stated: Role) -> Role:
    """Return an axis's role where a layer says what it is."""
    if role is None or role.what in ("conflict", "other") or (role.what != stated.what and role.weight == FEATURES):
        return stated
    if role.what == stated.what:
        return max(role, stated, key=lambda r: r.weight)
    if role.what == "part":
        return stated if stated.what == "channels" else role
    return CONFLICT


def _planar(ndim: int) -> Roles:
    return (None, *_PLANAR[ndim])


def _is_planar(node: fx.Node, name: str, ndim: int, calls: Calls) -> bool:
    """Return whether a layer takes `(B, C, *size)`."""
    named = any(part in name for part in ("conv", "pool", "interpolate", "upsample", "pixelshuffle", "pixelunshuffle"))
    norm = name.startswith(("batchnorm", "syncbatchnorm", "instancenorm", "groupnorm", "nativebatchnorm"))
    local = name in ("localresponsenorm", "channelshuffle", "gridsample", "dropout2d", "dropout3d")
    return (named or norm or local or (name == "prelu" and _slopes(node, calls) > 1)) and ndim in _PLANAR


def _slopes(node: fx.Node, calls: Calls) -> int:
    module = calls.module(node)
    weight = module.weight if module is not None else value_of(args_of(node, "input", "weight")[1])
    return weight.numel() if isinstance(weight, Tensor) else 1


def _normalized(node: fx.Node, calls: Calls) -> int:
    """Return over how many of the last axes a layer normalisation goes; 0 where a node is none."""
    if calls.name(node) not in ("layernorm", "rmsnorm", "nativelayernorm", "fusedrmsnorm"):
        return 0
    module = calls.module(node)
    shape: Any = module.normalized_shape if module is not None else args_of(node, "input", "normalized_shape")[1]
    return len(shape) if isinstance(shape, tuple | list) else 1


def _is_weighted(node: fx.Node, calls: Calls) -> bool:
    """Return whether the last axis of a result is made by a matrix of weights."""
    return calls.name(node) == "matmul" and not calls.is_data(args_of(node, "input", "other")[1])


def _wanted(node: fx.Node, calls: Calls) -> Iterator[tuple[fx.Node, Roles]]:
    """Yield what a layer says of the axes of what it reads."""
    sources = calls.sources(node)
    values = [value_of(source) for source in sources]
    if not sources or not isinstance(values[0], Tensor) or values[0].ndim < 2:
        return
    name, ndim = calls.name(node), values[0].ndim
    unknown: Roles = (None,) * (ndim - 1)
    if _is_planar(node, name, ndim, calls):
        yield sources[0], _planar(ndim)
    elif _normalized(node, calls) == 1:
        yield sources[0], (*unknown, Role("channels", NORM))
    elif name == "linear" or _is_weighted(node, calls):
        yield sources[0], (*unknown, Role("channels", FEATURES))
    elif name == "einsum":
        yield from _contracted(node, calls)
    elif calls.is_opaque(node):
        roles = _of_layers(calls.module(node), ndim)
        if roles:
            yield sources[0], roles


def _contracted(node: fx.Node, calls: Calls) -> Iterator[tuple[fx.Node, Roles]]:
    """Yield that the axes of data that an einsum sums over with weights are channels."""
    equation, operands = node.args[0], node.args[1:]
    if len(operands) == 1 and isinstance(operands[0], list | tuple):
        operands = tuple(operands[0])
    if not isinstance(equation, str) or "->" not in equation or "." in equation:
        return
    taken, made = equation.replace(" ", "").split("->")
    pairs: list[tuple[str, Any]] = list(zip(taken.split(","), operands, strict=False))
    weights = {letter for letters, operand in pairs if not calls.is_data(operand) for letter in letters}
    for letters, operand in pairs:
        if isinstance(operand, fx.Node) and calls.is_data(operand):
            summed = [letter in weights and letter not in made for letter in letters]
            yield operand, tuple(Role("channels", FEATURES) if contracted else None for contracted in summed)


def _whole(node: fx.Node, calls: Calls) -> fx.Node:
    """Return what returned several tensors, of which a node is one; any other node as it is."""
    while calls.name(node) == "getitem" and calls.sources(node):
        source = calls.sources(node)[0]
        if isinstance(value_of(source), Tensor):
            break
        node = source
    return node


def _guessed(node: fx.Node, whole: fx.Node, carried: Sequence[Role | None], calls: Calls) -> Sequence[Role | None]:
    """Return what the layers of a module that was not looked into say of its result."""
    read = [value_of(source) for source in calls.sources(whole) if isinstance(value_of(source), Tensor)]
    images = any(tensor.ndim and tensor.shape[:1] == value_of(node).shape[:1] for tensor in read)
    roles = _of_layers(calls.module(whole), len(carried)) or (None,) * len(carried)
    guessed = (BATCH if images else None, *roles[1:])
    return [old if old is not None else new for old, new in zip(carried, guessed, strict=True)]


def _of_layers(module: nn.Module | None, ndim: int) -> Roles | None:
    """Return the roles in maps of a module all of whose layers are convolutions, or none of them is one."""
    layers = list(module.modules()) if module is not None else []
    planar = any(isinstance(layer, nn.modules.conv._ConvNd) for layer in layers)
    last = any(isinstance(layer, nn.LayerNorm | nn.Linear) for layer in layers)
    if ndim not in _PLANAR or planar == last:
        return None
    return _planar(ndim) if planar else (*(None,) * (ndim - 1), Role("channels", FEATURES))
