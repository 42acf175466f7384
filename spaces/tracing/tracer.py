"""Recording a network's graph while the shapes of everything in it are worked out on the meta device."""

from __future__ import annotations

import copy
import inspect
import operator
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.fx.node import map_arg
from torch.utils._pytree import tree_map_only

from fusion_ops.errors import SpecError
from spaces.tracing.patterns import matches

__all__ = ["PLACE", "SCOPE", "VALUE", "GraphTracer", "on_meta", "refusal", "sharing"]

VALUE = "fusion_value"
SCOPE = "fusion_scope"
PLACE = "fusion_place"
_OWN = (str(Path(torch.__file__).parent), str(Path(__file__).parent))


class _Recorded(fx.Proxy):
    """A proxy whose `x += y` is recorded as what it is: other names of `x` see the sum, too."""

    def __iadd__(self, other: Any) -> Any:
        return self._in_place(operator.iadd, operator.add, other)

    def __isub__(self, other: Any) -> Any:
        return self._in_place(operator.isub, operator.sub, other)

    def __imul__(self, other: Any) -> Any:
        return self._in_place(operator.imul, operator.mul, other)

    def __itruediv__(self, other: Any) -> Any:
        return self._in_place(operator.itruediv, operator.truediv, other)

    def _in_place(self, tensors: Callable[..., Any], values: Callable[..., Any], other: Any) -> Any:
        function = tensors if isinstance(self.node.meta.get(VALUE), Tensor) else values
        return self.tracer.create_proxy("call_function", function, (self, other), {})


class GraphTracer(fx.Tracer):
    """A tracer whose nodes know what they compute: tensors on the meta device, and plain values.

    A branch that depends on shapes alone is decided by those of the example. One that depends on what is in
    a tensor is refused.

    Args:
        meta: The network on the meta device; every node is run with it once.
        examples: Example inputs on the meta device.
        leaves: Patterns of paths of modules that are called as they are, without a look inside.

    Attributes:
        failed_at: Path of the innermost module in which tracing failed.
        notices: What was left alone without being asked, a line each.
    """

    proxy_buffer_attributes = True

    def __init__(self, meta: nn.Module, examples: tuple[Tensor, ...], leaves: tuple[str, ...]) -> None:
        super().__init__()
        self._meta = meta
        self._examples = examples
        self._leaves = leaves
        self._computing = False
        self.failed_at = ""
        self.notices: list[str] = []

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Return whether a module is called as it is."""
        return matches(module_qualified_name, self._leaves) or super().is_leaf_module(m, module_qualified_name)

    def proxy(self, node: fx.Node) -> fx.Proxy:
        """Return what stands for a node's value while tracing."""
        return _Recorded(node, self)

    def call_module(self, m: nn.Module, forward: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Trace a call of a module; note its path where that fails."""
        if self._computing:
            return forward(*args, **kwargs)
        path = self.path_of_module(m)
        try:
            return super().call_module(m, forward, args, kwargs)
        except Exception:
            self.failed_at = self.failed_at or path
            raise

    def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: dict[str, fx.Proxy]) -> Any:
        """Return what stands for an attribute of a module: a proxy for a parameter or buffer."""
        return attr_val if self._computing else super().getattr(attr, attr_val, parameter_proxy_cache)

    def create_args_for_root(
        self, root_fn: Callable[..., Any], is_module: bool, concrete_args: Any = None
    ) -> tuple[Callable[..., Any], list[Any]]:
        """Return the forward method and one placeholder an example input; further arguments keep their defaults."""
        names = _argument_names(root_fn, len(self._examples))
        placeholders = [self.create_proxy("placeholder", name, (), {}) for name in names]
        return root_fn, [self.root, *placeholders]

    def create_node(self, kind: str, target: Any, args: Any, kwargs: Any, *rest: Any, **more: Any) -> fx.Node:
        """Record a node and what it computes."""
        node = super().create_node(kind, target, args, kwargs, *rest, **more)
        node.meta[SCOPE] = self.scope.module_path
        node.meta[PLACE] = (self.scope.module_path, _lines(sys._getframe()))
        if kind == "placeholder":
            taken = sum(before.op == "placeholder" for before in self.graph.nodes)
            node.meta[VALUE] = self._examples[taken - 1]
        elif kind != "output":
            self._computing = True
            try:
                node.meta[VALUE] = self._computed(node)
            finally:
                self._computing = False
        return node

    def to_bool(self, obj: fx.Proxy) -> bool:
        """Decide a branch by shapes and settings.

        Raises:
            SpecError: It depends on what is in a tensor.
        """
        value = obj.node.meta[VALUE]
        if isinstance(value, Tensor):
            why = "a branch depends on the values of a tensor"
            raise SpecError(refusal(self.scope.module_path, why, traceback.extract_stack()))
        return bool(value)

    def iter(self, obj: fx.Proxy) -> Iterator[Any]:
        """Go through what has a known length: a shape, or parts of a tensor."""
        value = obj.node.meta[VALUE]
        if isinstance(value, tuple | list):
            parts: list[Any] = [operator.getitem(obj, index) for index in range(len(value))]
            return iter(parts)
        found: Iterator[Any] = super().iter(obj)
        return found

    def _computed(self, node: fx.Node) -> Any:
        args, kwargs = map_arg((node.args, node.kwargs), lambda inner: inner.meta[VALUE])
        if node.op == "get_attr":
            return self._attribute(str(node.target))
        if node.op == "call_module":
            return self._called(str(node.target), args, kwargs)
        if node.op == "call_method":
            return getattr(args[0], str(node.target))(*args[1:], **kwargs)
        function: Any = node.target
        return function(*args, **kwargs)

    def _called(self, path: str, args: Any, kwargs: Any) -> Any:
        try:
            return self._meta.get_submodule(path)(*args, **kwargs)
        except Exception:
            if not matches(path, self._leaves):
                raise
        # A module that is not looked into may need values: it gets some, and its weights.
        module = copy.deepcopy(self.root.get_submodule(path))
        with torch.no_grad():
            return tree_map_only(Tensor, _shape, module(*tree_map_only(Tensor, _filled, args), **kwargs))

    def _attribute(self, path: str) -> Any:
        for root in (self._meta, self.root):
            value: Any = root
            for name in path.split("."):
                value = getattr(value, name, None)
            if value is not None:
                return value.to("meta") if isinstance(value, Tensor) else value
        raise SpecError(f"the traced network has no attribute `{path}`.")


def _filled(tensor: Tensor) -> Tensor:
    return torch.zeros_like(tensor, device="cpu")


def _shape(tensor: Tensor) -> Tensor:
    return tensor.to("meta")


def refusal(path: str, why: str, frames: Iterable[traceback.FrameSummary]) -> str:
    """Return why a network cannot be traced: module, line of its source, and what to do."""
    where = f"module `{path}`" if path else "the network's own `forward`"
    fix = (
        f"add `{path}` to `exclude`, so that this module stays as it is"
        if path
        else "move that part into a module of its own and add its path to `exclude`"
    )
    return f"{where} cannot be traced: {why}{_line(frames)}; {fix}."


def _line(frames: Iterable[traceback.FrameSummary]) -> str:
    """Return file, line and code of the innermost frame that is the user's."""
    for frame in reversed(list(frames)):
        if not frame.filename.startswith((*_OWN, "<")):
            code = f" (`{frame.line}`)" if frame.line else ""
            return f", {Path(frame.filename).name}, line {frame.lineno}{code}"
    return ""


def _lines(frame: FrameType | None) -> tuple[tuple[str, int], ...]:
    """Return file and line of the user's frames, the innermost first."""
    lines = []
    while frame is not None:
        if not frame.f_code.co_filename.startswith((*_OWN, "<")):
            lines.append((frame.f_code.co_filename, frame.f_lineno))
        frame = frame.f_back
    return tuple(lines)


def on_meta(model: nn.Module) -> nn.Module:
    """Return a copy of a network on the meta device; no weight is copied."""
    memo: dict[int, Any] = {}
    for tensor in _tensors(model):
        moved = tensor.detach().to("meta")
        memo[id(tensor)] = nn.Parameter(moved, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else moved
    return copy.deepcopy(model, memo)


def sharing(model: nn.Module) -> nn.Module:
    """Return a copy of a network's modules that has the same tensors."""
    return copy.deepcopy(model, {id(tensor): tensor for tensor in _tensors(model)})


def _tensors(model: nn.Module) -> Iterator[Tensor]:
    yield from model.parameters()
    yield from model.buffers()
    for module in model.modules():
        yield from (value for value in vars(module).values() if isinstance(value, Tensor))


def _argument_names(function: Callable[..., Any], count: int) -> list[str]:
    """Return names of a forward method's first `count` arguments after `self`.

    Raises:
        SpecError: It does not take so many, or needs more.
    """
    given = list(inspect.signature(inspect.unwrap(function)).parameters.values())[1:]
    positional = [p for p in given if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    names = [parameter.name for parameter in positional[:count]]
    if len(names) < count and any(parameter.kind == parameter.VAR_POSITIONAL for parameter in given):
        names += [f"input{index}" for index in range(len(names), count)]
    needed = [p.name for p in positional[count:] if p.default is p.empty]
    if len(names) < count or needed:
        raise SpecError(
            f"`forward` takes {', '.join(p.name for p in given) or 'nothing'}; got {count} example inputs. "
            "Give one example for each argument that has no default."
        )
    return names
