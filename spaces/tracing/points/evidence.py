"""What layers say of the axes of what they read and of what they make."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from torch import Tensor, fx, nn

from spaces.tracing.points.calls import Calls, args_of, value_of
from spaces.tracing.points.roles import FEATURES, NORM, OTHER, PLANAR, Role, Roles, confirmed

__all__ = ["stated", "wanted"]


def stated(node: fx.Node, carried: Sequence[Role | None], calls: Calls) -> Sequence[Role | None]:
    """Return the roles of a result's axes, given those that its sources' axes bring."""
    name, ndim = calls.name(node), len(carried)
    if name == "stack":
        dim = (args_of(node, "tensors", "dim")[1] or 0) % ndim
        return [OTHER if axis == dim else role for axis, role in enumerate(carried)]
    if _is_planar(node, name, ndim, calls):
        return [carried[0], *(confirmed(role, own) for role, own in zip(carried[1:], PLANAR[ndim], strict=True))]
    if _normalized(node, calls) == 1:
        return [*carried[:-1], confirmed(carried[-1], Role("channels", NORM))]
    if name in ("linear", "scaleddotproductattention") or _is_weighted(node, calls):
        last = carried[-1]
        return [*carried[:-1], last if last and last.what == "positions" else Role("channels", FEATURES)]
    whole = _whole(node, calls)
    return _guessed(whole, carried, calls) if calls.is_opaque(whole) else carried


def _planar(ndim: int) -> Roles:
    return (None, *PLANAR[ndim])


def _is_planar(node: fx.Node, name: str, ndim: int, calls: Calls) -> bool:
    """Return whether a layer takes `(B, C, *size)`."""
    named = any(part in name for part in ("conv", "pool", "interpolate", "upsample", "pixelshuffle", "pixelunshuffle"))
    norm = name.startswith(("batchnorm", "syncbatchnorm", "instancenorm", "groupnorm", "nativebatchnorm"))
    local = name in ("localresponsenorm", "channelshuffle", "gridsample", "dropout2d", "dropout3d")
    return (named or norm or local or (name == "prelu" and _slopes(node, calls) > 1)) and ndim in PLANAR


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


def wanted(node: fx.Node, calls: Calls) -> Iterator[tuple[fx.Node, Roles]]:
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


def _guessed(whole: fx.Node, carried: Sequence[Role | None], calls: Calls) -> Sequence[Role | None]:
    """Return what the layers of a module that was not looked into say of its result."""
    guessed = _of_layers(calls.module(whole), len(carried)) or (None,) * len(carried)
    return [old if old is not None else new for old, new in zip(carried, guessed, strict=True)]


def _of_layers(module: nn.Module | None, ndim: int) -> Roles | None:
    """Return the roles in maps of a module all of whose layers are convolutions, or none of them is one."""
    layers = list(module.modules()) if module is not None else []
    planar = any(isinstance(layer, nn.modules.conv._ConvNd) for layer in layers)
    last = any(isinstance(layer, nn.LayerNorm | nn.Linear) for layer in layers)
    if ndim not in PLANAR or planar == last:
        return None
    return _planar(ndim) if planar else (*(None,) * (ndim - 1), Role("channels", FEATURES))
