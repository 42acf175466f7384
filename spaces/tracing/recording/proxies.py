"""What stands for a value while a network is traced, and what it answers to Python."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, fx, nn

from spaces.tracing.recording.marks import VALUE

# Methods of a tensor that give what is in it to Python.
_OWN = frozenset({"node", "tracer", "_in_place"})
_READING = frozenset({"item", "tolist", "numpy"})

__all__ = ["Recorded", "RecordedNumber", "RecordedTensor", "holds", "holds_recorded", "is_recorded"]


class Recorded(fx.Proxy):
    """A value that is not known yet: what is done with it is recorded.

    To Python it is of the type of what it stands for. Numbers, truths and lengths are given where they depend
    neither on what is in a tensor nor on the size of the batch nor on the device; else the tracer raises
    `UnfollowableError`. `x += y` is recorded as what it is: other names of `x` see the sum, too.
    """

    tracer: Any

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return type(self.node.meta[VALUE])

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name in ("node", "tracer"):
            raise AttributeError(name)
        value = self.node.meta[VALUE]
        if name == "_is_param":
            return isinstance(value, nn.Parameter)
        owner = type(value) if isinstance(value, Tensor) else value
        member = getattr(owner, name)
        if callable(member):
            return _Method(self, name)
        return self.tracer.create_proxy("call_function", getattr, (self, name), {})

    def __getitem__(self, key: Any) -> Any:
        return self.tracer.create_proxy("call_function", operator.getitem, (self, key), {})

    def __setitem__(self, key: Any, value: Any) -> None:
        self.tracer.create_proxy("call_function", operator.setitem, (self, key, value), {})

    def __iter__(self) -> Iterator[Any]:
        return iter(self.tracer.items(self))

    def __contains__(self, key: Any) -> bool:
        if isinstance(self.node.meta[VALUE], dict):
            return key in self.tracer.decided(self.node, list)
        return any(bool(item == key) for item in self)

    def __len__(self) -> int:
        return int(self.tracer.decided(self.node, len))

    def __bool__(self) -> bool:
        return bool(self.tracer.decided(self.node, bool))

    def __int__(self) -> int:
        return int(self.tracer.decided(self.node, int))

    def __float__(self) -> float:
        return float(self.tracer.decided(self.node, float))

    def __complex__(self) -> complex:
        return complex(self.tracer.decided(self.node, complex))

    def __index__(self) -> int:
        return int(self.tracer.decided(self.node, operator.index))

    def __hash__(self) -> int:
        return id(self) if isinstance(self.node.meta[VALUE], Tensor) else int(self.tracer.decided(self.node, hash))

    def __str__(self) -> str:
        return repr(self) if isinstance(self.node.meta[VALUE], Tensor) else str(self.tracer.decided(self.node, str))

    def __format__(self, spec: str) -> str:
        if isinstance(self.node.meta[VALUE], Tensor):
            return repr(self)
        return str(self.tracer.decided(self.node, lambda value: format(value, spec)))

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        import numpy as np

        return np.asarray(self.tracer.decided(self.node, _plain), dtype)

    def __round__(self, digits: int | None = None) -> Any:
        return self.tracer.create_proxy("call_function", round, (self,) if digits is None else (self, digits), {})

    def __floor__(self) -> Any:
        return self.tracer.create_proxy("call_function", math.floor, (self,), {})

    def __ceil__(self) -> Any:
        return self.tracer.create_proxy("call_function", math.ceil, (self,), {})

    def __trunc__(self) -> Any:
        return self.tracer.create_proxy("call_function", math.trunc, (self,), {})

    def __iadd__(self, other: Any) -> Any:
        return self._in_place(operator.iadd, operator.add, other)

    def __isub__(self, other: Any) -> Any:
        return self._in_place(operator.isub, operator.sub, other)

    def __imul__(self, other: Any) -> Any:
        return self._in_place(operator.imul, operator.mul, other)

    def __itruediv__(self, other: Any) -> Any:
        return self._in_place(operator.itruediv, operator.truediv, other)

    def __ifloordiv__(self, other: Any) -> Any:
        return self._in_place(operator.ifloordiv, operator.floordiv, other)

    def __ipow__(self, other: Any) -> Any:
        return self._in_place(operator.ipow, operator.pow, other)

    def __iand__(self, other: Any) -> Any:
        return self._in_place(operator.iand, operator.and_, other)

    def __ior__(self, other: Any) -> Any:
        return self._in_place(operator.ior, operator.or_, other)

    def _in_place(self, tensors: Callable[..., Any], values: Callable[..., Any], other: Any) -> Any:
        function = tensors if isinstance(self.node.meta.get(VALUE), Tensor) else values
        return self.tracer.create_proxy("call_function", function, (self, other), {})


class RecordedNumber(Recorded):
    """A number, a text or another plain value that is not known yet: nothing that could be gone through."""

    __iter__ = None  # type: ignore[assignment]
    __len__ = None  # type: ignore[assignment]
    __contains__ = None  # type: ignore[assignment]


class RecordedTensor(Recorded, Tensor):  # type: ignore[misc]
    """A tensor that is not known yet.

    It is a tensor on the meta device: PyTorch's C++ code takes for one whatever says that it is.
    """

    @staticmethod
    def of(node: fx.Node, tracer: Any) -> RecordedTensor:
        """Return what stands for a node."""
        with torch._C._DisableTorchDispatch(), torch._C.DisableTorchFunction(), torch.no_grad():
            made: RecordedTensor = Tensor._make_subclass(RecordedTensor, node.meta[VALUE])
        vars(made).update(node=node, tracer=tracer)
        return made

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("__") or name in _OWN:
            return super().__getattribute__(name)
        return Recorded.__getattr__(self, name)


class _Method:
    """A method of a value that is not known yet."""

    def __init__(self, owner: Recorded, name: str) -> None:
        self._owner, self._name = owner, name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._name in _READING and isinstance(self._owner.node.meta[VALUE], Tensor):
            return self._owner.tracer.decided(self._owner.node, lambda value: getattr(value, self._name)())
        return self._owner.tracer.create_proxy("call_method", self._name, (self._owner, *args), kwargs)


def is_recorded(value: Any) -> bool:
    """Return whether something stands for a value that is not known yet, whatever type it claims to be of."""
    return issubclass(type(value), Recorded)


def holds_recorded(value: Any) -> bool:
    """Return whether there is a recorded value in a structure of tuples, lists, dictionaries and slices."""
    return holds(value, is_recorded)


def holds(value: Any, accepts: Callable[[Any], bool]) -> bool:
    """Return whether a structure of tuples, lists, dictionaries and slices holds what a function accepts."""
    if accepts(value):
        return True
    if is_recorded(value):
        return False
    if isinstance(value, tuple | list):
        return any(holds(part, accepts) for part in value)
    if isinstance(value, dict):
        return any(holds(part, accepts) for part in value.values())
    if isinstance(value, slice):
        return any(holds(part, accepts) for part in (value.start, value.stop, value.step))
    return False


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
