"""Python modules as source: what stands at their top level, and where their names come from."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from types import ModuleType

from fusion_ops.errors import SpecError

__all__ = ["Definition", "Import", "ModuleSource", "module_source"]


@dataclass(frozen=True, slots=True)
class Import:
    """A name that a module imports.

    Args:
        module: The module that it comes from.
        name: Its name there; `None` where it is the module itself.
        submodules: Modules that `import a.b` loads beside the name `a`.
    """

    module: str
    name: str | None = None
    submodules: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Definition:
    """A statement at the top level of a module that gives a value to names.

    Args:
        module: The module's name.
        node: The statement.
        names: The names.
    """

    module: str
    node: ast.stmt
    names: tuple[str, ...]


class ModuleSource:
    """The source of a module.

    Args:
        module: The module.

    Attributes:
        lines: The source in UTF-8, line by line: positions in the syntax tree count bytes.
        definitions: By name, the statement that defines it; the last one where there are several.
        imports: By name, where it is imported from.

    Raises:
        OSError: The source cannot be found.
        TypeError: The module is built in.
    """

    def __init__(self, module: ModuleType) -> None:
        text = inspect.getsource(module)
        self.name = module.__name__
        self.package = module.__package__ or ""
        self.lines = text.encode().splitlines(keepends=True)
        self.definitions: dict[str, Definition] = {}
        self.imports: dict[str, Import] = {}
        self._read(ast.parse(text).body)

    def _read(self, body: Iterable[ast.stmt]) -> None:
        for node in body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                self._add_imports(node)
            elif isinstance(node, ast.If) and _holds_imports_alone(node):
                self._read([*node.body, *node.orelse])
            else:
                names = tuple(dict.fromkeys(_defined(node)))
                definition = Definition(self.name, node, names)
                self.definitions |= dict.fromkeys(names, definition)

    def _add_imports(self, node: ast.Import | ast.ImportFrom) -> None:
        for alias in node.names:
            if isinstance(node, ast.ImportFrom):
                home = "." * node.level + (node.module or "")
                self.imports[alias.asname or alias.name] = Import(_absolute(home, self.package), alias.name)
            elif alias.asname is not None:
                self.imports[alias.asname] = Import(alias.name)
            else:
                top = alias.name.partition(".")[0]
                known = self.imports.get(top, Import(top))
                more = (alias.name,) if alias.name != top else ()
                self.imports[top] = Import(top, None, (*known.submodules, *more))


_read_module = cache(ModuleSource)


def module_source(name: str, wanted: str) -> ModuleSource:
    """Return the source of a loaded module, read once.

    Args:
        name: The module's name.
        wanted: What is looked for in it, for the message.

    Raises:
        SpecError: There is no source, as for what was typed into a console.
    """
    try:
        return _read_module(sys.modules[name])
    except (OSError, TypeError, KeyError, SyntaxError):
        raise SpecError(
            f"the source of `{wanted}` in module `{name}` cannot be found; define it in a file that is imported."
        ) from None


def _absolute(name: str, package: str) -> str:
    """Return the absolute name of a module that is imported relatively to a package."""
    dots = len(name) - len(name.lstrip("."))
    if dots == 0:
        return name
    parents = package.split(".")
    return ".".join([*parents[: len(parents) - dots + 1], *filter(None, [name[dots:]])])


def _holds_imports_alone(node: ast.If) -> bool:
    """Return whether this is `if TYPE_CHECKING:` or the like, around imports."""
    return all(isinstance(part, ast.Import | ast.ImportFrom | ast.Pass) for part in [*node.body, *node.orelse])


def _defined(node: ast.AST) -> Iterator[str]:
    """Yield the names that a statement at the top level gives a value to."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
        return
    for part in ast.walk(node):
        if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield part.name
        elif isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
            yield part.id
        elif isinstance(part, ast.alias):
            yield part.asname or part.name.partition(".")[0]
