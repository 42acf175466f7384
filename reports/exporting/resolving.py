"""What a name of a module stands for: a definition to take along, or an import that stays one."""

from __future__ import annotations

import builtins
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch.nn

from fusion_ops.errors import FusionNasError, SpecError
from reports.exporting.sources import Definition, Import, module_source

__all__ = ["Builtin", "Defined", "Resolver", "Target"]

OURS = frozenset({"fusion_ops", "spaces"})
AVAILABLE = frozenset({"torch", "numpy"})


@dataclass(frozen=True, slots=True)
class Defined:
    """A name that a definition gives a value to."""

    definition: Definition
    name: str


@dataclass(frozen=True, slots=True)
class Builtin:
    """A name that Python itself has."""

    name: str


@dataclass(frozen=True, slots=True)
class Package:
    """A module whose definitions are taken along, so that it does not exist where they go."""

    module: str


Target = Defined | Import | Builtin


class Resolver:
    """Follows names through modules.

    Definitions of fusion-nas, of the packages of a recipe's own classes and of files that are not
    installed are taken along. PyTorch, numpy and the standard library are imported. Nothing else is there
    where an export runs.

    Args:
        modules: Modules of the recipe's classes and functions.
    """

    def __init__(self, modules: Iterable[str]) -> None:
        tops = {module.partition(".")[0] for module in modules}
        self._taken = OURS | {top for top in tops if not _stays(top)}

    def factory(self, factory: Callable[..., Any]) -> Target:
        """Return the target of a class or function itself.

        Raises:
            SpecError: It is not defined at the top level of a module that has a source.
        """
        module, name = factory.__module__, factory.__qualname__
        if getattr(torch.nn, name, None) is factory:
            return Import("torch.nn", name)
        if getattr(sys.modules.get(module), name, None) is not factory:
            raise SpecError(
                f"`{name}` of module `{module}` cannot be exported: a class or function of a network must be "
                "defined at the top level of a module, under its own name."
            )
        target = self.name(module, name)
        if not isinstance(target, Defined | Import):
            raise SpecError(f"`{name}` of module `{module}` cannot be exported: it is no class or function of its own.")
        return target

    def name(self, module: str, name: str) -> Target:
        """Return what a name stands for at the top level of a module.

        Raises:
            SpecError: It cannot be taken along.
        """
        target = self._look_up(module, name)
        if isinstance(target, Package):
            raise SpecError(f"`{name}` in module `{module}` is used as a value; an export takes its parts alone.")
        return target

    def path(self, module: str, names: Iterable[str]) -> tuple[Target, int]:
        """Return what a dotted name stands for, and how many of its parts that takes.

        Args:
            module: Where it is used.
            names: Its parts: `fusion_ops`, `FusionOperator`.
        """
        first, *rest = names
        target, used = self._look_up(module, first), 1
        while isinstance(target, Package):
            if used > len(rest):
                raise SpecError(f"`{first}` in module `{module}` is used as a value; an export takes its parts alone.")
            target = self._follow(Import(target.module, rest[used - 1]))
            used += 1
        return target, used

    def _look_up(self, module: str, name: str) -> Target | Package:
        source = module_source(module, name)
        if name in source.definitions:
            value = getattr(sys.modules[module], name, None)
            if isinstance(value, type) and issubclass(value, FusionNasError):
                return Builtin("ValueError")
            return Defined(source.definitions[name], name)
        if name in source.imports:
            return self._follow(source.imports[name])
        if hasattr(builtins, name):
            return Builtin(name)
        raise SpecError(f"`{name}` in module `{module}` is neither defined nor imported by that name there.")

    def _follow(self, imported: Import) -> Target | Package:
        if not self._is_taken(imported.module):
            return imported
        if imported.name is None:
            return Package(imported.module)
        submodule = f"{imported.module}.{imported.name}"
        if submodule in sys.modules and getattr(sys.modules[imported.module], imported.name) is sys.modules[submodule]:
            return Package(submodule)
        return self._look_up(imported.module, imported.name)

    def _is_taken(self, module: str) -> bool:
        """Return whether a module's definitions are taken along, rather than imported."""
        top = module.partition(".")[0]
        if top in self._taken:
            return True
        if _stays(top):
            return False
        if _is_installed(top):
            raise SpecError(
                f"the package `{top}` is imported by a network, and is not there where an export runs: that has "
                "torch and numpy alone. Write what you use of it yourself."
            )
        return True


def check_imports(modules: Iterable[str], where: str) -> None:
    """Check imports inside of functions: they stay as they are.

    Raises:
        SpecError: One is not of the standard library, PyTorch or numpy.
    """
    for module in modules:
        if not _stays(module.partition(".")[0]):
            raise SpecError(f"`{where}` imports `{module or '.'}` inside of a function; import it at the file's top.")


def _stays(top: str) -> bool:
    return top in AVAILABLE or top in sys.stdlib_module_names


def _is_installed(top: str) -> bool:
    file = getattr(sys.modules.get(top), "__file__", None)
    return file is not None and not {"site-packages", "dist-packages"}.isdisjoint(Path(file).parts)
