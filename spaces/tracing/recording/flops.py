"""FLOPs of single nodes of a graph."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch.utils.flop_counter import FlopCounterMode

__all__ = ["Flops"]


class Flops:
    """Counts what is computed, if it is to.

    Args:
        counted: Whether it is.
    """

    def __init__(self, *, counted: bool) -> None:
        self._counter = FlopCounterMode(display=False) if counted else None
        if self._counter is not None:
            self._counter.mod_tracker = _NoModules()  # type: ignore[assignment]
        self._before = 0

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Count until the context ends."""
        if self._counter is None:
            yield
            return
        with self._counter:
            yield

    def start(self) -> None:
        """Begin with the next node, or again with the same."""
        self._before = self._total()

    def since(self) -> int:
        """Return the FLOPs since the start."""
        return self._total() - self._before

    def _total(self) -> int:
        return int(self._counter.get_total_flops()) if self._counter is not None else 0


class _NoModules:
    """Instead of hooks on all modules, which would take recorded values for tensors and register hooks on them."""

    parents = ("Global",)

    def __enter__(self) -> None:
        """Do nothing."""

    def __exit__(self, *_: Any) -> None:
        """Do nothing."""
