"""Recording a network's graph while the values of everything in it are worked out on the meta device."""

from __future__ import annotations

import inspect
import operator
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.overrides import is_tensor_method_or_property
from torch.utils._pytree import tree_leaves

from spaces.tracing.patterns import matches
from spaces.tracing.recording.arguments import argument_names
from spaces.tracing.recording.factories import DETERMINISTIC, FACTORIES
from spaces.tracing.recording.flops import Flops
from spaces.tracing.recording.functions import Applied
from spaces.tracing.recording.marks import FLOPS, OTHER, PLACE, SCOPE, VALUE
from spaces.tracing.recording.patching import Names, caught
from spaces.tracing.recording.proxies import (
    Recorded,
    RecordedNumber,
    RecordedTensor,
    holds,
    holds_recorded,
    is_recorded,
)
from spaces.tracing.recording.randomness import Generators
from spaces.tracing.recording.refusals import UnfollowableError, defined, frames, reason
from spaces.tracing.recording.worlds import Worlds
from spaces.tracing.recording.writing import mark_writes, versions

__all__ = ["PLACE", "SCOPE", "VALUE", "GraphTracer"]

# What Python needs at once, of a tensor that is an attribute of a module.
_ANSWERS = frozenset({"__get__", "__len__", "__bool__", "__int__", "__float__", "__index__", "__repr__", "__hash__"})
_SCALARS = (int, float, complex, str, torch.dtype, torch.device)


class GraphTracer(fx.Tracer):
    """A tracer whose nodes know what they compute, for batches of two sizes.

    What depends on shapes alone is decided by those of the examples. A module whose forward method needs more
    than that is called as it is, without being asked to.

    Args:
        meta: The network on the meta device; every node is run with it.
        examples: Example inputs on the meta device.
        others: The same for a batch of another size.
        leaves: Patterns of paths of modules that are called as they are, without a look inside.
        counted: Whether the FLOPs of the examples are counted.

    Attributes:
        alone: Modules that were left alone without being asked, by path, and why.
        notices: What else is not as in the network, a line each.
    """

    proxy_buffer_attributes = True

    def __init__(
        self,
        meta: nn.Module,
        examples: tuple[Tensor, ...],
        others: tuple[Tensor, ...],
        leaves: tuple[str, ...],
        *,
        counted: bool = False,
    ) -> None:
        super().__init__()
        self._meta = meta
        self._examples, self._others = examples, others
        self._leaves = leaves
        self._flops = Flops(counted=counted)
        self._computing = False
        self._inputs = 0
        self._items: list[fx.Node] = []
        self._attributes: dict[int, fx.Node] = {}
        self._journal: list[tuple[nn.Module, str, Any]] = []
        self._paths: dict[int, str] = {}
        self._names = Names(self)
        self.alone: dict[str, str] = {}
        self.notices: list[str] = []

    @property
    def flops(self) -> int:
        """FLOPs of the graph for the examples."""
        return sum(node.meta.get(FLOPS, 0) for node in self.graph.nodes)

    def trace(self, root: nn.Module, concrete_args: Any = None) -> fx.Graph:  # type: ignore[override]
        """Return the graph of a network.

        Raises:
            Exception: The network's own forward method cannot be followed; the error says why.
        """
        for name, tensor in (*root.named_parameters(), *root.named_buffers()):
            self._paths.setdefault(id(tensor), name)
        self._generators = Generators(root)
        self._worlds = Worlds(root, self._meta, self._examples, self._others, self._may_need_values, self._flops)
        try:
            with torch.enable_grad(), self._flops.counting(), caught(self):
                graph = super().trace(root, concrete_args)
        finally:
            self._names.restore()
        for node in reversed(self._items):
            if not node.users and node.graph is graph and not node._erased:
                graph.erase_node(node)
        return graph

    def create_args_for_root(
        self, root_fn: Callable[..., Any], is_module: bool, concrete_args: Any = None
    ) -> tuple[Callable[..., Any], list[Any]]:
        """Return the call of the network, its hooks included, and one placeholder an example input."""
        names = argument_names(self.root, len(self._examples))
        return (lambda root, *inputs: root(*inputs)), [
            self.root,
            *(self.create_proxy("placeholder", name, (), {}) for name in names),
        ]

    # Modules

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Return whether a module is called as it is."""
        if m is self.root:
            return False
        if isinstance(m, torch.jit.ScriptModule) or matches(module_qualified_name, self._leaves):
            return True
        return module_qualified_name in self.alone or super().is_leaf_module(m, module_qualified_name)

    def call_module(self, m: nn.Module, forward: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Trace a call of a module; where that fails, leave it as it is."""
        if self._computing:
            return forward(*args, **kwargs)
        path = self._path(m)
        if path is None:
            self._names.replace(_globals(m))
            return forward(*args, **kwargs)
        with self._within(path, m):
            if self.is_leaf_module(m, path):
                return self.create_proxy("call_module", path, args, kwargs)
            return self._looked_into(m, path, forward, args, kwargs)

    def _looked_into(self, m: nn.Module, path: str, forward: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        self._names.replace(_globals(m))
        self._names.unbind(vars(m))
        last, journal, items = self._last(), len(self._journal), _lengths((args, kwargs))
        states = self._states()
        try:
            if m._backward_hooks or m._backward_pre_hooks:
                raise UnfollowableError(f"it has a hook on its gradients{defined(m)}")
            found = forward(*args, **kwargs)
            if self._have_moved(states):
                raise UnfollowableError(f"it draws random numbers outside of PyTorch's functions{defined(m)}")
            return found
        except Exception as error:
            self._have_moved(states)
            if not path:
                raise
            self._roll_back(last, journal)
            try:
                if items != _lengths((args, kwargs)):
                    raise UnfollowableError("it changes lists that it is given")
                called = self.create_proxy("call_module", path, args, kwargs)
            except Exception:
                if not hasattr(error, "fusion_given"):
                    error.fusion_given = path, self._unwritable((args, kwargs))  # type: ignore[attr-defined]
                raise error from None
            self.alone[path] = reason(error)
            return called

    def _unwritable(self, given: Any) -> str:
        """Return the type of the first argument that no line of Python can write down; empty if there is none."""
        for part in tree_leaves(given):
            try:
                self.create_arg(part)
            except Exception:
                return f"{type(part).__module__}.{type(part).__qualname__}".removeprefix("builtins.")
        return ""

    def _states(self) -> list[Any]:
        with self._unrecorded():
            return self._generators.states()

    def _have_moved(self, since: list[Any]) -> bool:
        with self._unrecorded():
            return self._generators.have_moved(since)

    @contextmanager
    def _unrecorded(self) -> Iterator[None]:
        before, self._computing = self._computing, True
        try:
            yield
        finally:
            self._computing = before

    def _path(self, m: nn.Module) -> str | None:
        assert self.submodule_paths is not None  # noqa: S101 - there are some while a network is traced
        return self.submodule_paths.get(m)

    @contextmanager
    def _within(self, path: str, m: nn.Module) -> Iterator[None]:
        before = self.scope.module_path, self.scope.module_type
        self.scope.module_path, self.scope.module_type = path, type(m)
        try:
            yield
        finally:
            self.scope.module_path, self.scope.module_type = before

    def _last(self) -> fx.Node:
        return self.graph._root.prev

    def _roll_back(self, last: fx.Node, journal: int) -> None:
        """Forget what was recorded, and assigned, since."""
        while (node := self._last()) is not last:
            self.graph.erase_node(node)
        self._attributes = {key: node for key, node in self._attributes.items() if not node._erased}
        self._items = [node for node in self._items if not node._erased]
        while len(self._journal) > journal:
            module, name, before = self._journal.pop()
            vars(module).pop(name, None) if before is _ABSENT else vars(module).__setitem__(name, before)

    def _may_need_values(self, path: str) -> bool:
        """Return whether a module may be run with values to see the shapes that it computes."""
        if matches(path, self._leaves):
            return True
        module = self.root.get_submodule(path)
        return isinstance(module, torch.jit.ScriptModule) or not super().is_leaf_module(module, path)

    # Nodes

    def create_proxy(self, kind: str, target: Any, args: Any, kwargs: Any, *rest: Any, **more: Any) -> Any:
        """Record a call; what is returned is what Python would get: tuples, lists and dictionaries are such."""
        return self._presented(super().create_proxy(kind, target, args, kwargs, *rest, **more))

    def proxy(self, node: fx.Node) -> fx.Proxy:
        """Return what stands for a node's value while tracing."""
        value = node.meta.get(VALUE)
        if isinstance(value, Tensor):
            return RecordedTensor.of(node, self)
        return (RecordedNumber if isinstance(value, _SCALARS) else Recorded)(node, self)

    def create_node(self, kind: str, target: Any, args: Any, kwargs: Any, *rest: Any, **more: Any) -> fx.Node:
        """Record a node and what it computes."""
        if not torch.is_grad_enabled():
            raise UnfollowableError("gradients are switched off in it")
        node = super().create_node(kind, target, args, kwargs, *rest, **more)
        path = self.scope.module_path
        node.meta[SCOPE] = path
        node.meta[PLACE] = (path, frames(_LOOKED_INTO))
        if kind == "output":
            return node
        self._inputs += kind == "placeholder"
        try:
            with self._unrecorded():
                before = versions(node)
                self._worlds.fill(node, self._inputs - 1)
                mark_writes(node, before)
                self._worlds.fill_constant(node, kind == "call_function" and target in DETERMINISTIC)
        except Exception as error:
            self.graph.erase_node(node)
            if kind == "call_module" and not hasattr(error, "fusion_module"):
                error.fusion_module = target  # type: ignore[attr-defined]
            raise
        return node

    def create_arg(self, a: Any) -> Any:
        """Return what stands for a value among the arguments of a node."""
        if is_recorded(a):
            return a.node
        if isinstance(a, Tensor) and id(a) in self._paths:
            return self._attribute(a)
        if type(a) is OrderedDict:
            pairs = [(key, self.create_arg(value)) for key, value in a.items()]
            return self.create_node("call_function", OrderedDict, (pairs,), {})
        if is_dataclass(a) and not isinstance(a, type):
            given = {f.name: getattr(a, f.name) for f in fields(a) if f.init}
            given = {name: self.create_arg(value) for name, value in given.items() if value is not None}
            return self.create_node("call_function", type(a), (), given)
        if type(a).__module__ == "numpy" and hasattr(a, "item") and hasattr(a, "ndim"):
            if a.ndim:
                raise UnfollowableError("a NumPy array is given to a function of PyTorch, or to a module")
            return a.item()
        return super().create_arg(a)

    def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: dict[str, fx.Proxy]) -> Any:
        """Return what stands for an attribute of a module: a recorded value for a parameter or buffer."""
        if self._computing or not isinstance(attr_val, Tensor) or id(attr_val) not in self._paths:
            return attr_val
        return self.proxy(self._attribute(attr_val))

    def _attribute(self, tensor: Tensor) -> fx.Node:
        if id(tensor) not in self._attributes:
            self._attributes[id(tensor)] = self.create_node("get_attr", self._paths[id(tensor)], (), {})
        return self._attributes[id(tensor)]

    def _presented(self, proxy: fx.Proxy) -> Any:
        node = proxy.node
        value: Any = node.meta.get(VALUE)
        if value is None and node.op != "placeholder":
            return None
        if type(value) in (tuple, list, dict, OrderedDict):
            self._check_same_structure(value, node.meta[OTHER])
            keys: Any = value if isinstance(value, dict) else range(len(value))
            parts = {key: self._item(proxy, key) for key in keys}
            return type(value)(parts) if isinstance(value, dict) else type(value)(parts.values())
        return proxy

    def _item(self, proxy: fx.Proxy, key: Any) -> Any:
        before = self._last()
        item = self.create_proxy("call_function", operator.getitem, (proxy, key), {})
        self._items.append(before.next)
        return item

    def _check_same_structure(self, value: Any, other: Any) -> None:
        if type(value) is not type(other) or len(value) != len(other):
            raise UnfollowableError("how many parts there are depends on the number of images in the batch")

    # What is asked of values

    def decided(self, node: fx.Node, convert: Callable[[Any], Any]) -> Any:
        """Return a number, truth or length that Python asks for.

        Raises:
            UnfollowableError: It depends on what is in a tensor, on the size of the batch, or on the device.
        """
        with self._unrecorded():
            return self._worlds.decided(node, convert)

    def items(self, proxy: fx.Proxy) -> list[Any]:
        """Return the parts of what has a known length: of a shape, or of a tensor."""
        value = proxy.node.meta[VALUE]
        if isinstance(value, dict):
            return list(self.decided(proxy.node, list))
        count = self.decided(proxy.node, len)
        if isinstance(value, Tensor):
            return list(self.create_proxy("call_method", "unbind", (proxy,), {}))
        return [self.create_proxy("call_function", operator.getitem, (proxy, index), {}) for index in range(count)]

    # What is caught

    def called(self, function: Any, args: Any, kwargs: Any) -> Any:
        """Record a call of one of PyTorch's functions, or call it."""
        if self._computing:
            return function(*args, **kwargs)
        name = getattr(function, "__name__", "")
        recorded = holds_recorded((args, kwargs))
        if recorded and name == "__get__":
            with self._unrecorded():
                return function(args[0].node.meta[VALUE])
        if not recorded and (name in _ANSWERS or not (function in FACTORIES or _holds_tensor((args, kwargs)))):
            return function(*args, **kwargs)
        if isinstance(function, torch._C.ScriptMethod):
            return self.create_proxy("call_method", function.name, (function.owner, *args), kwargs)
        if is_tensor_method_or_property(function):
            return self.create_proxy("call_method", name, args, kwargs)
        return self.create_proxy("call_function", function, args, kwargs)

    def applied(self, function: Any, args: Any) -> Any:
        """Record a call of a `torch.autograd.Function`."""
        return self.create_proxy("call_function", Applied(function), args, {})

    def assigned(self, module: nn.Module, name: str, value: Any) -> None:
        """Follow an assignment to an attribute of a module, if it is no state that the next pass would read."""
        path = self._path(module) if self.submodule_paths else None
        if self._computing or path is None:
            return
        before = vars(module).get(name, _ABSENT)
        kept = f"{path}.{name}".removeprefix(".")
        read = any(node.op == "get_attr" and node.target == kept for node in self.graph.nodes)
        state = name in module._buffers or name in module._parameters
        counts = before is not _ABSENT and isinstance(value, int | float) and not is_recorded(value)
        if state or (read and holds_recorded(value)) or (counts and before != value):
            raise UnfollowableError(f"it keeps `{name}` for its next pass")
        self._journal.append((module, name, before))

    def autocast(self) -> None:
        """Refuse to follow a forward method that sets the precision of what it computes."""
        if not self._computing:
            raise UnfollowableError("it sets a precision of its own")

    def checkpointed(self) -> None:
        """Take notice that a function is computed at once that would have been computed again for its gradient."""
        where = f"module `{self.scope.module_path}`" if self.scope.module_path else "the network"
        self.notices.append(f"{where} is trained without `checkpoint`: it takes more memory, and less time.")


_ABSENT = object()
_LOOKED_INTO = GraphTracer._looked_into.__code__


def _globals(module: nn.Module) -> dict[str, Any]:
    function = inspect.unwrap(getattr(module.forward, "__func__", module.forward))
    return getattr(function, "__globals__", {})


def _holds_tensor(value: Any) -> bool:
    return holds(value, lambda part: isinstance(part, Tensor))


def _lengths(value: Any) -> list[int]:
    """Return the lengths of all lists and dictionaries in a structure."""
    if is_recorded(value) or not isinstance(value, tuple | list | dict):
        return []
    parts = value.values() if isinstance(value, dict) else value
    return [len(value), *(length for part in parts for length in _lengths(part))]
