"""What is caught while a network is traced: functions of PyTorch, assignments, and what Python asks of values."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import MethodType
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils import checkpoint as checkpointing

from spaces.tracing.recording.factories import OF_SIZES
from spaces.tracing.recording.proxies import holds_recorded, is_recorded

__all__ = ["Names", "caught"]

_CHECKPOINT = checkpointing.checkpoint
_APPLY = vars(torch.autograd.Function)["apply"].__func__


class Recorder(Protocol):
    """What is told of everything that is caught."""

    def called(self, function: Any, args: Any, kwargs: Any) -> Any:
        """Record a call of one of PyTorch's functions, or call it."""

    def applied(self, function: Any, args: Any) -> Any:
        """Record a call of a `torch.autograd.Function`."""

    def assigned(self, module: nn.Module, name: str, value: Any) -> None:
        """Take notice that a forward method assigns to an attribute of its module."""

    def autocast(self) -> None:
        """Take notice that a forward method sets the precision of what it computes."""

    def checkpointed(self) -> None:
        """Take notice that a function is computed at once that would have been computed again for its gradient."""


@contextmanager
def caught(recorder: Recorder) -> Iterator[None]:
    """Tell a recorder of calls and assignments until the context ends."""
    with ExitStack() as stack:
        stack.enter_context(_Mode(recorder))
        for name in OF_SIZES:
            stack.enter_context(_replaced(torch, name, _sized(getattr(torch, name), recorder)))
        stack.enter_context(_replaced(torch.autograd.Function, "apply", _apply(recorder)))
        stack.enter_context(_replaced(torch.autocast, "__enter__", _autocast(recorder)))
        stack.enter_context(_replaced(checkpointing, "checkpoint", _checkpoint(recorder)))
        stack.enter_context(_replaced(nn.Module, "__setattr__", _setattr(recorder)))
        yield


class Names:
    """Replaces `len`, `type` and `checkpoint` in modules of the user's code.

    Python lets `len` return nothing but numbers, and `type` no other type than an object's own.

    Args:
        recorder: What is told of calls.
    """

    def __init__(self, recorder: Recorder) -> None:
        self._checkpoint = _checkpoint(recorder)
        self._stack = ExitStack()
        self._seen: set[int] = set()

    def replace(self, names: dict[str, Any]) -> None:
        """Replace them in the globals of a function, once."""
        if id(names) in self._seen or str(names.get("__name__")).partition(".")[0] == "torch":
            return
        self._seen.add(id(names))
        for name in ("len", "type"):
            if name not in names:
                names[name] = _length if name == "len" else _Type
                self._stack.callback(names.pop, name)
        for name, value in list(names.items()):
            if value is _CHECKPOINT:
                names[name] = self._checkpoint
                self._stack.callback(names.__setitem__, name, value)

        self.unbind(names)

    def unbind(self, names: dict[str, Any]) -> None:
        """Have a `Function.apply` that is kept under a name looked up when it is called, so that it is caught."""
        for name, value in list(names.items()):
            if isinstance(value, MethodType) and value.__func__ is _APPLY:
                names[name] = functools.partial(_looked_up, value.__self__)
                self._stack.callback(names.__setitem__, name, value)

    def restore(self) -> None:
        """Put back what was there before."""
        self._stack.close()
        self._seen.clear()


def _looked_up(function: Any, *args: Any, **kwargs: Any) -> Any:
    return function.apply(*args, **kwargs)


class _Mode(TorchFunctionMode):
    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self._recorder = recorder

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return self._recorder.called(func, args, kwargs or {})


class _TypeOf(type):
    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        return args[0].__class__ if len(args) == 1 and is_recorded(args[0]) else type(*args, **kwargs)

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, type)

    def __subclasscheck__(cls, subclass: Any) -> bool:
        return issubclass(subclass, type)


class _Type(type, metaclass=_TypeOf):
    """`type`, which knows what recorded values stand for."""


def _length(value: Any) -> Any:
    """`len`, whose result may depend on the size of the batch: so it is recorded where it is a tensor's."""
    recorded: Any = value
    if is_recorded(value) and isinstance(value, Tensor):
        return recorded.tracer.create_proxy("call_function", len, (value,), {})
    return len(value)


@contextmanager
def _replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    before = vars(owner)[name]
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


def _sized(function: Callable[..., Any], recorder: Recorder) -> Callable[..., Any]:
    @functools.wraps(function)
    def made(*args: Any, **kwargs: Any) -> Any:
        return recorder.called(function, args, kwargs) if holds_recorded(args) else function(*args, **kwargs)

    return made


def _apply(recorder: Recorder) -> Any:
    def apply(cls: Any, *args: Any, **kwargs: Any) -> Any:
        return recorder.applied(cls, args) if holds_recorded(args) else _APPLY(cls, *args, **kwargs)

    return classmethod(apply)


def _autocast(recorder: Recorder) -> Callable[[Any], Any]:
    original: Any = torch.autocast.__enter__

    def enter(context: Any) -> Any:
        recorder.autocast()
        return original(context)

    return enter


def _checkpoint(recorder: Recorder) -> Callable[..., Any]:
    def at_once(function: Callable[..., Any], *args: Any, **settings: Any) -> Any:
        if not holds_recorded(args):
            return _CHECKPOINT(function, *args, **settings)
        recorder.checkpointed()
        for name in ("use_reentrant", "preserve_rng_state", "context_fn", "determinism_check", "debug", "early_stop"):
            settings.pop(name, None)
        return function(*args, **settings)

    return at_once


def _setattr(recorder: Recorder) -> Callable[..., None]:
    original: Any = nn.Module.__setattr__

    def assign(module: nn.Module, name: str, value: Any) -> None:
        recorder.assigned(module, name, value)
        original(module, name, value)

    return assign
