"""What the nodes of a graph compute, for batches of two sizes: what differs between them depends on the batch."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.fx.node import map_aggregate, map_arg
from torch.utils._pytree import tree_map_only

from fusion_ops.errors import SpecError
from spaces.tracing.recording.factories import FACTORIES
from spaces.tracing.recording.flops import Flops
from spaces.tracing.recording.marks import CONSTANT, DEVICES, FLOPS, OTHER, VALUE, WRITES
from spaces.tracing.recording.randomness import Generators
from spaces.tracing.recording.refusals import UnfollowableError

__all__ = ["Worlds", "batches"]

_OF_DEVICES: dict[str, tuple[Any, Any]] = {
    "device": (torch.device("cpu"), torch.device("cuda", 0)),
    "is_cuda": (False, True),
    "is_cpu": (True, False),
    "is_meta": (False, False),
    "get_device": (-1, 0),
}
_BATCH_NORMS: dict[type, int] = {nn.BatchNorm2d: 4, nn.BatchNorm3d: 5}
_UNKNOWN = (object(), object())


def batches(examples: Sequence[Tensor], images: int) -> tuple[Tensor, ...]:
    """Return examples of so many images, on the meta device.

    The first axis of the first example counts images, and so does that of every other example as long as it.
    """
    found = []
    for example in examples:
        shape = list(example.shape)
        if shape and shape[0] == examples[0].shape[0]:
            shape[0] = images
        found.append(torch.empty(shape, dtype=example.dtype, device="meta"))
    return tuple(found)


class Worlds:
    """Works out what nodes compute: tensors on the meta device, and plain values.

    Args:
        root: The network.
        meta: The same on the meta device.
        examples: Inputs in the first world, on the meta device.
        others: The same for a batch of another size.
        whole: Whether a module, by its path, may be run with values where it does not run without.
        flops: What counts the FLOPs of the first world.
    """

    def __init__(
        self,
        root: nn.Module,
        meta: nn.Module,
        examples: tuple[Tensor, ...],
        others: tuple[Tensor, ...],
        whole: Callable[[str], bool],
        flops: Flops,
    ) -> None:
        self._root = root
        self._meta = meta
        self._inputs = {VALUE: examples, OTHER: others}
        self._whole = whole
        self._flops = flops
        self._generators = Generators(root)

    def fill(self, node: fx.Node, position: int) -> None:
        """Work out what a node computes; `position` counts placeholders."""
        if node.op == "placeholder":
            node.meta.update({world: given[position] for world, given in self._inputs.items()})
            return
        self._flops.start()
        value = node.meta[VALUE] = self._computed(node, VALUE)
        node.meta[FLOPS] = self._flops.since()
        node.meta[OTHER] = value
        if any(source.meta[OTHER] is not source.meta[VALUE] for source in node.all_input_nodes):
            with torch._C._DisableTorchDispatch():
                other = self._computed(node, OTHER)
            node.meta[OTHER] = value if _is_plain(value) and value == other else other
        if not isinstance(value, Tensor):
            self._fill_devices(node)

    def fill_constant(self, node: fx.Node, factory: bool) -> None:
        """Work out a tensor that is made of nothing but numbers, for those who ask what is in it."""
        sources = node.all_input_nodes
        known = factory or any(CONSTANT in source.meta for source in sources)
        if known and all(CONSTANT in source.meta or _is_settled(source) for source in sources):
            state = torch.get_rng_state()
            try:
                made = self._computed(node, CONSTANT)
            except Exception:
                return
            if torch.equal(state, torch.get_rng_state()):
                node.meta[CONSTANT] = made
                return
            torch.set_rng_state(state)
        for written in node.meta[WRITES]:
            _forget(written)

    def decided(self, node: fx.Node, convert: Callable[[Any], Any]) -> Any:
        """Return a number, truth or length that Python asks for.

        Raises:
            UnfollowableError: It depends on what is in a tensor, on the size of the batch, or on the device.
        """
        value, other = node.meta[VALUE], node.meta[OTHER]
        if isinstance(value, Tensor) and convert is not len:
            if CONSTANT in node.meta:
                return convert(node.meta[CONSTANT])
            raise UnfollowableError("what is done depends on the values of a tensor")
        found = convert(value)
        if other is not value and convert(other) != found:
            raise UnfollowableError("what is done depends on the number of images in the batch")
        if DEVICES in node.meta:
            one, two = node.meta[DEVICES]
            if node.meta[DEVICES] is _UNKNOWN or convert(one) != convert(two):
                raise UnfollowableError("what is done depends on the device")
            return convert(one)
        return found

    def _fill_devices(self, node: fx.Node) -> None:
        name = node.args[1] if node.target is getattr else node.target if node.op == "call_method" else None
        owner = node.all_input_nodes[0].meta[VALUE] if node.all_input_nodes else None
        if isinstance(owner, Tensor) and name in _OF_DEVICES:
            node.meta[DEVICES] = _OF_DEVICES[str(name)]
        elif any(DEVICES in source.meta for source in node.all_input_nodes):
            try:
                node.meta[DEVICES] = tuple(self._on_device(node, index) for index in (0, 1))
            except Exception:
                node.meta[DEVICES] = _UNKNOWN

    def _on_device(self, node: fx.Node, index: int) -> Any:
        return _call(node, *map_arg((node.args, node.kwargs), lambda source: _at(source, index)))

    def _computed(self, node: fx.Node, world: str) -> Any:
        args, kwargs = map_arg((node.args, node.kwargs), lambda source: source.meta.get(world, source.meta[VALUE]))
        if node.op == "get_attr":
            return self._attribute(str(node.target))
        if node.op == "call_module":
            return self._called(str(node.target), world, args, kwargs)
        if world != CONSTANT:
            args, kwargs = _placed(node, args, kwargs)
        return _call(node, args, kwargs)

    def _called(self, path: str, world: str, args: Any, kwargs: Any) -> Any:
        module: Any = self._meta.get_submodule(path)
        if _is_plain_batch_norm(module, args, kwargs):
            return args[0] + module.weight.view(-1, *(1,) * (args[0].ndim - 2))
        if not self._whole(path):
            return module(*args, **kwargs)
        states = self._generators.states()
        try:
            return module(*args, **kwargs)
        except Exception:
            if world == VALUE:
                self._flops.start()
            return self._run(path, args, kwargs)
        finally:
            self._generators.have_moved(states)

    def _run(self, path: str, args: Any, kwargs: Any) -> Any:
        """Run a module with its weights on a tensor of values: it may need them."""
        module = copy.deepcopy(self._root.get_submodule(path))
        place = next((tensor.device for tensor in (*module.parameters(), *module.buffers())), torch.device("cpu"))
        args, kwargs = tree_map_only(Tensor, lambda given: torch.zeros_like(given, device=place), (args, kwargs))
        with torch.no_grad():
            return tree_map_only(Tensor, lambda made: made.to("meta"), module(*args, **kwargs))

    def _attribute(self, path: str) -> Any:
        for root in (self._meta, self._root):
            value: Any = root
            for name in path.split("."):
                value = getattr(value, name, None)
            if value is not None:
                return value.to("meta") if isinstance(value, Tensor) else value
        raise SpecError(f"the traced network has no attribute `{path}`.")


def _is_plain_batch_norm(module: nn.Module, args: Any, kwargs: Any) -> bool:
    """Return whether a module is a batch norm that takes its input: it costs no FLOPs and keeps the shape.

    Without values PyTorch computes it step by step in Python, which takes longer than all other layers together.
    """
    if type(module) not in _BATCH_NORMS or kwargs or len(args) != 1 or not isinstance(args[0], Tensor):
        return False
    hooks = (module._forward_hooks, module._forward_pre_hooks, module._backward_hooks, module._backward_pre_hooks)
    x, weight = args[0], getattr(module, "weight", None)
    if any(hooks) or not isinstance(weight, Tensor) or x.dtype != weight.dtype or x.ndim < 2:
        return False
    right = _BATCH_NORMS[type(module)] == x.ndim and x.shape[1] == len(weight)
    return right and x.numel() > x.shape[1] and "forward" not in vars(module)


def _call(node: fx.Node, args: Any, kwargs: Any) -> Any:
    if node.op == "call_method" and node.target in ("cpu", "cuda"):
        return args[0]
    if node.op == "call_method":
        return getattr(args[0], str(node.target))(*args[1:], **kwargs)
    function: Any = node.target
    return function(*args, **kwargs)


def _at(source: fx.Node, index: int) -> Any:
    return source.meta[DEVICES][index] if DEVICES in source.meta else source.meta[VALUE]


def _placed(node: fx.Node, args: Any, kwargs: Any) -> tuple[Any, Any]:
    """Let what a call makes, or moves to a device, be on the meta device."""
    kwargs = dict(kwargs)
    if kwargs.get("device") is not None or node.target in FACTORIES:
        kwargs["device"] = "meta"
    args = map_aggregate(args, lambda part: torch.device("meta") if isinstance(part, torch.device) else part)
    if node.op == "call_method" and node.target == "to" and len(args) > 1 and isinstance(args[1], str):
        args = (args[0], "meta", *args[2:])
    return args, kwargs


def _is_settled(node: fx.Node) -> bool:
    return _is_plain(node.meta[VALUE]) and node.meta[OTHER] is node.meta[VALUE] and DEVICES not in node.meta


def _forget(written: fx.Node) -> None:
    """Forget what is in a constant that has been overwritten with what is not known, and in all views of it."""
    constant = written.meta.get(CONSTANT)
    if not isinstance(constant, Tensor):
        return
    storage = constant.untyped_storage().data_ptr()
    for node in written.graph.nodes:
        other = node.meta.get(CONSTANT)
        if isinstance(other, Tensor) and other.untyped_storage().data_ptr() == storage:
            del node.meta[CONSTANT]


def _is_plain(value: Any) -> bool:
    if isinstance(value, tuple | list):
        return all(map(_is_plain, value))
    return isinstance(value, int | float | complex | str | bool | torch.dtype | torch.device) or value is None
