"""What things are called in the exported file: each by its own name, unless that is taken."""

from __future__ import annotations

import builtins
from collections.abc import Hashable, Iterable

from reports.exporting.resolving import Builtin, Defined, Target
from reports.exporting.sources import Import

__all__ = ["Names"]


class Names:
    """Gives every target one name, and no name to two.

    Args:
        reserved: Names that are not to be given.
    """

    def __init__(self, reserved: Iterable[str] = ()) -> None:
        self._taken = {*reserved, *dir(builtins)}
        self._given: dict[Hashable, str] = {}
        self._submodules: set[str] = set()

    def give(self, target: Target, preferred: str) -> str:
        """Return the target's name; the first time it gets `preferred`, or that with something behind it."""
        if isinstance(target, Builtin):
            return target.name
        if isinstance(target, Import):
            self._submodules |= set(target.submodules)
        key = _key(target)
        if key not in self._given:
            self._given[key] = next(name for name in _variants(target, preferred) if name not in self._taken)
            self._taken.add(self._given[key])
        return self._given[key]

    def of(self, target: Target) -> str:
        """Return the name that a target was given."""
        return target.name if isinstance(target, Builtin) else self._given[_key(target)]

    def imports(self) -> dict[Import, str]:
        """Return the names of all imports, and modules that are imported for what they add to another."""
        given = {key: name for key, name in self._given.items() if isinstance(key, Import)}
        return given | {Import(module): module for module in self._submodules}


def _key(target: Defined | Import) -> Hashable:
    return Import(target.module, target.name) if isinstance(target, Import) else target


def _variants(target: Defined | Import, preferred: str) -> Iterable[str]:
    module = target.module if isinstance(target, Import) else target.definition.module
    yield preferred
    with_module = f"{preferred}_{module.rpartition('.')[2]}"
    yield with_module
    number = 2
    while True:
        yield f"{with_module}_{number}"
        number += 1
