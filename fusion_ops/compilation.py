"""Operators compiled one by one, opt-in: a small set of graphs that every network shares.

A network of a search space is new with every candidate, so compiling it whole pays its price every time. Its
operators are few: what is compiled here is `fuse` of each operator class, and parameters are inputs of the
graph. Two operators of one class, one shape and one mode share a graph, in whatever network they stand.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any

import torch
from torch import Tensor

from fusion_ops.operator import OPERATORS, FusionOperator

__all__ = ["compiled"]

GRAPHS = 512
_plain: dict[type[FusionOperator], Callable[..., Tensor]] = {}


class compiled:  # noqa: N801 - called as a function, or entered as a context
    """Let every registered operator run compiled by `torch.compile`, or plainly again.

    Takes effect at once, for operators that exist already too, in this process. As a context it returns to what
    was before at the end: `with fusion_ops.compiled(): …`. One graph holds for one operator with one
    set of settings, shapes, precision and mode; up to 512 are kept for an operator. Without a graph break: what
    cannot be compiled raises.

    Args:
        enabled: Whether operators run compiled.
        backend: Name of a backend of `torch.compile`, or a function as it takes it.
    """

    def __init__(self, enabled: bool = True, *, backend: str | Callable[..., Any] = "inductor") -> None:
        self._before = {cls: cls.__dict__["fuse"] for cls in _plain}
        _restore()
        if enabled:
            _compile(backend)

    def __enter__(self) -> None:
        """Leave it as it was set."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Return to what was before."""
        _restore()
        for cls, fuse in self._before.items():
            _replace(cls, fuse)


def _compile(backend: str | Callable[..., Any]) -> None:
    """Replace `fuse` of every registered operator that defines its own."""
    config = torch._dynamo.config
    config.recompile_limit = max(config.recompile_limit, GRAPHS)
    config.accumulated_recompile_limit = max(config.accumulated_recompile_limit, GRAPHS * len(OPERATORS.names()))
    for cls in dict.fromkeys(OPERATORS[name] for name in OPERATORS):
        if "fuse" in cls.__dict__:
            _replace(cls, torch.compile(cls.__dict__["fuse"], backend=backend, fullgraph=True, dynamic=False))


def _replace(cls: type[FusionOperator], fuse: Callable[..., Tensor]) -> None:
    _plain.setdefault(cls, cls.__dict__["fuse"])
    cls.fuse = fuse  # type: ignore[method-assign]


def _restore() -> None:
    for cls, fuse in _plain.items():
        cls.fuse = fuse  # type: ignore[method-assign]
    _plain.clear()
