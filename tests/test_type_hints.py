"""Every type hint names a type that there is, and every public name of a package can be had.

A package that imports its names when they are first used answers for them in `__getattr__`; a hint such as
`reports.DataFrame` must not pass for one of them.
"""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from types import ModuleType
from typing import Any

import pytest

import fusion_ops
import reports
import search
import spaces
from reports import shipped
from reports.shipped.verify import constants_of, not_installed

PACKAGES = (fusion_ops, spaces, reports, search)


def modules(package: ModuleType) -> Iterator[ModuleType]:
    """Yield the modules of a package, imported; without those that run in an export what is not installed here."""
    for module in walk_packages(package.__path__, f"{package.__name__}."):
        if not module.name.endswith("__main__") and not needs_more(module.name):
            yield import_module(module.name)


def needs_more(name: str) -> bool:
    if not name.startswith(f"{shipped.__name__}.run_"):
        return False
    runner = Path(shipped.__path__[0]) / f"{name.rpartition('.')[2]}.py"
    return bool(not_installed(constants_of(runner)["NEEDS"]))


def defined(module: ModuleType) -> Iterator[Any]:
    """Yield the functions, classes and methods that a module defines."""
    for thing in vars(module).values():
        if getattr(thing, "__module__", None) != module.__name__:
            continue
        if inspect.isclass(thing):
            yield thing
            for member in vars(thing).values():
                inner = getattr(member, "fget", None) or getattr(member, "__func__", None) or member
                if inspect.isfunction(inner) and inner.__module__ == module.__name__:
                    yield inner
        elif inspect.isfunction(thing):
            yield thing


def names_for_checkers(module: ModuleType) -> dict[str, Any]:
    """Return what a module imports under `if TYPE_CHECKING`."""
    names: dict[str, Any] = {}
    for statement in ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8")).body:
        if isinstance(statement, ast.If) and ast.unparse(statement.test) == "TYPE_CHECKING":
            exec(compile(ast.Module(statement.body, []), str(module.__file__), "exec"), names)  # noqa: S102
    return names


def unknown(hint: str, names: dict[str, Any]) -> Iterator[str]:
    """Yield the names of a hint that do not exist; some types take parameters in hints alone, so none is built."""
    for node in ast.walk(ast.parse(hint, mode="eval")):
        if isinstance(node, ast.Name | ast.Attribute):
            name = ast.unparse(node)
            try:
                eval(name, names)  # noqa: S307
            except (AttributeError, NameError):
                yield name


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_type_hints_name_what_there_is(package: ModuleType) -> None:
    wrong = [
        f"{module.__name__}: {thing.__qualname__}: {missing}"
        for module in modules(package)
        for names in [vars(module) | names_for_checkers(module)]
        for thing in defined(module)
        for hint in inspect.get_annotations(thing).values()
        if isinstance(hint, str)
        for missing in unknown(hint, names)
    ]
    assert not wrong


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_what_a_module_offers_is_there(package: ModuleType) -> None:
    for module in (package, *modules(package)):
        for offered in getattr(module, "__all__", ()):
            assert getattr(module, offered) is not None
        with pytest.raises(AttributeError, match="has no attribute 'DataFrame'"):
            _ = module.DataFrame


def test_the_packages_import_nothing_heavy() -> None:
    """Lazy names are there to save this: `import search, reports` alone."""
    code = "import sys, search, reports; print(sorted({'torch', 'optuna', 'ray', 'pandas'} & set(sys.modules)))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
