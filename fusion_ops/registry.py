"""A table of things by name: operators, host networks, data sets, report panels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from fusion_ops.errors import SpecError, UnknownNameError

__all__ = ["Registry"]

T = TypeVar("T")


class Registry(Generic[T]):
    """Maps names to things, in order of registration; a duplicate raises, an unknown name explains itself.

    Args:
        kind: What the entries are, in the singular, for messages (`fusion operator`).
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._entries: dict[str, T] = {}

    def register(self, name: str) -> Callable[[T], T]:
        """Return a decorator that registers what it decorates under `name`."""

        def decorate(entry: T) -> T:
            if name in self._entries:
                raise SpecError(f"{self.kind} `{name}` is already registered; choose another name.")
            self._entries[name] = entry
            return entry

        return decorate

    def __getitem__(self, name: str) -> T:
        try:
            return self._entries[name]
        except (KeyError, TypeError):
            raise UnknownNameError(self.kind, str(name), self._entries) from None

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def names(self) -> tuple[str, ...]:
        """Return every registered name, in order of registration."""
        return tuple(self._entries)
