"""User-defined code by name: `package.module:attribute`."""

from __future__ import annotations

import re
import sys
import traceback
from collections.abc import Iterable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from fusion_ops.errors import SpecError, described, nearest

__all__ = ["MAIN", "import_modules", "imported", "is_reference", "make_importable", "receive"]

# The module of a script or a notebook: each program has its own.
MAIN = "__main__"

_PATH = r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*"
_MODULE = re.compile(_PATH, re.ASCII)
_REFERENCE = re.compile(f"{_PATH}:{_PATH}", re.ASCII)
# What another program has in its module `__main__` and has sent here, by reference.
_RECEIVED: dict[str, Any] = {}


def is_reference(name: str) -> bool:
    """Return whether `name` has the form `package.module:attribute`."""
    return _REFERENCE.fullmatch(name) is not None


def make_importable(*folders: str | Path) -> None:
    """Let Python find modules in these folders, after everything that is installed, the first folder first."""
    for folder in folders:
        resolved = str(Path(folder).resolve())
        if resolved not in sys.path:
            sys.path.append(resolved)


def import_modules(names: Iterable[str]) -> None:
    """Import modules for what they register; one that was imported before is not imported again.

    Raises:
        SpecError: A name is malformed, there is no such module, or it fails when it is imported.
    """
    for name in names:
        if _MODULE.fullmatch(name) is None:
            raise SpecError(f"a module to import is named `package.module`; got `{name}`.")
        _module(name, name)


def receive(sent: Mapping[str, Any]) -> None:
    """Know from now on what another program has in its module `__main__`, by reference."""
    _RECEIVED.update(sent)


def imported(reference: str) -> Any:
    """Return what `package.module:attribute` names.

    The module must be installed, or lie in a folder given to `make_importable`.

    Raises:
        SpecError: The reference is malformed, there is no such module or attribute, or the module fails when
            it is imported.
    """
    if not is_reference(reference):
        raise SpecError(f"user-defined code is named `package.module:attribute`; got `{reference}`.")
    if reference in _RECEIVED:
        return _RECEIVED[reference]
    module_name, _, path = reference.partition(":")
    value: Any = _module(module_name, reference)
    for name in path.split("."):
        if not hasattr(value, name):
            if module_name == MAIN:
                raise SpecError(_not_here(reference, path))
            hint = nearest(name, [known for known in vars(value) if not known.startswith("_")])
            raise SpecError(f"`{reference}`: module `{module_name}` has no `{path}`{hint}.")
        value = getattr(value, name)
    return value


def _not_here(reference: str, path: str) -> str:
    return (
        f"`{reference}`: this program has no `{path}`. What a script or a notebook defines is known there alone: a run "
        f"with it goes on from there. For a new run write it into a module, such as `my_code.py` beside the config, "
        f"and name it `my_code:{path}`."
    )


def _module(name: str, reference: str) -> Any:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise SpecError(f"`{reference}`: {_where(error)}: {error}.") from error
        raise SpecError(
            f"`{reference}`: there is no module `{error.name}`; install it, or put it beside the config "
            "or into the current folder."
        ) from None
    except Exception as error:
        raise SpecError(f"`{reference}` cannot be imported: {_where(error)}: {described(error)}.") from error


def _where(error: BaseException) -> str:
    if isinstance(error, SyntaxError) and error.filename:
        return f"{Path(error.filename).name}, line {error.lineno}"
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{Path(frame.filename).name}, line {frame.lineno}"
