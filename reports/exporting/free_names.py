"""Which names a piece of source takes from the module around it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

__all__ = ["FreeNames", "free_names"]

Function = ast.FunctionDef | ast.AsyncFunctionDef
Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


@dataclass(slots=True)
class FreeNames:
    """The names of one statement at the top level of a module.

    Args:
        early: Uses that are evaluated when the module is imported: base classes, decorators, default
            values, class attributes, constants.
        late: All others: inside functions, and in annotations.
        local: Every name that a function, class or comprehension inside the statement gives a value.
        imports: Import statements inside the statement.
    """

    early: list[ast.Name] = field(default_factory=list)
    late: list[ast.Name] = field(default_factory=list)
    local: set[str] = field(default_factory=set)
    imports: list[ast.Import | ast.ImportFrom] = field(default_factory=list)

    @property
    def uses(self) -> list[ast.Name]:
        """All uses, early and late."""
        return [*self.early, *self.late]


def free_names(statement: ast.stmt) -> FreeNames:
    """Return the names that a top-level statement takes from its module, by Python's rules of scope.

    Annotations count as late: the exported file has `from __future__ import annotations`.
    """
    finder = _Finder()
    finder.visit(statement)
    return finder.found


@dataclass(frozen=True, slots=True)
class _Scope:
    names: frozenset[str]
    is_class: bool = False


class _Finder(ast.NodeVisitor):
    """Walks a statement with a stack of the scopes that it is in; the module's own is not on it."""

    def __init__(self) -> None:
        self.found = FreeNames()
        self._scopes: list[_Scope] = []
        self._deferred = 0

    def visit_Name(self, node: ast.Name) -> None:
        if not self._is_local(node.id):
            (self.found.late if self._deferred else self.found.early).append(node)

    def visit_FunctionDef(self, node: Function) -> None:
        self._visit_all(*node.decorator_list, *_defaults(node.args))
        self._visit_late(*_annotations(node))
        self._enter(_bound_in_function(node), node.body, deferred=True)

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._visit_all(*_defaults(node.args))
        self._enter(frozenset(_arguments(node.args)), [node.body], deferred=True)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._visit_all(*node.decorator_list, *node.bases, *(keyword.value for keyword in node.keywords))
        self._enter(frozenset(_bound(node.body)), node.body, is_class=True)

    def visit_ListComp(self, node: Comprehension) -> None:
        first = node.generators[0]
        self.visit(first.iter)
        bound = frozenset(name for generator in node.generators for name in _stored(generator.target))
        inner: list[ast.AST] = [*first.ifs, *node.generators[1:]]
        inner += [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        self._enter(bound, inner)

    visit_SetComp = visit_DictComp = visit_GeneratorExp = visit_ListComp  # noqa: N815

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self._visit_late(node.annotation)
        self._visit_all(node.target, *([node.value] if node.value is not None else []))

    def visit_Import(self, node: ast.Import | ast.ImportFrom) -> None:
        self.found.imports.append(node)

    visit_ImportFrom = visit_Import  # noqa: N815

    def _is_local(self, name: str) -> bool:
        """Return whether an enclosing scope has the name; a class's own are hidden from its methods."""
        last = len(self._scopes) - 1
        return any(
            name in scope.names and (index == last or not scope.is_class) for index, scope in enumerate(self._scopes)
        )

    def _enter(
        self,
        names: frozenset[str],
        body: list[ast.stmt] | list[ast.expr] | list[ast.AST],
        *,
        deferred: bool = False,
        is_class: bool = False,
    ) -> None:
        self.found.local |= names
        self._scopes.append(_Scope(names, is_class))
        self._deferred += deferred
        self._visit_all(*body)
        self._deferred -= deferred
        self._scopes.pop()

    def _visit_late(self, *nodes: ast.AST) -> None:
        self._deferred += 1
        self._visit_all(*nodes)
        self._deferred -= 1

    def _visit_all(self, *nodes: ast.AST) -> None:
        for node in nodes:
            self.visit(node)


def _arguments(arguments: ast.arguments) -> Iterator[str]:
    for argument in _all_arguments(arguments):
        yield argument.arg


def _all_arguments(arguments: ast.arguments) -> Iterator[ast.arg]:
    yield from (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
    yield from (argument for argument in (arguments.vararg, arguments.kwarg) if argument is not None)


def _defaults(arguments: ast.arguments) -> Iterator[ast.expr]:
    yield from arguments.defaults
    yield from (default for default in arguments.kw_defaults if default is not None)


def _annotations(node: Function) -> Iterator[ast.expr]:
    yield from (argument.annotation for argument in _all_arguments(node.args) if argument.annotation is not None)
    if node.returns is not None:
        yield node.returns


def _bound_in_function(node: Function) -> frozenset[str]:
    """Return the local names of a function: its arguments and what it assigns, less what it calls global."""
    elsewhere = {name for part in ast.walk(node) if isinstance(part, ast.Global) for name in part.names}
    return frozenset({*_arguments(node.args), *_bound(node.body)} - elsewhere)


def _bound(body: list[ast.stmt]) -> Iterator[str]:
    """Yield the names to which statements give a value, without those of inner scopes."""
    waiting: list[ast.AST] = list(body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, Function | ast.ClassDef):
            yield node.name
        elif isinstance(node, Comprehension):
            yield from (part.target.id for part in ast.walk(node) if isinstance(part, ast.NamedExpr))
        elif not isinstance(node, ast.Lambda):
            yield from _bound_by(node)
            waiting.extend(ast.iter_child_nodes(node))


def _bound_by(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store | ast.Del):
        yield node.id
    elif isinstance(node, ast.Import | ast.ImportFrom):
        yield from (alias.asname or alias.name.partition(".")[0] for alias in node.names)
    elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name is not None:
        yield node.name
    elif isinstance(node, ast.MatchMapping) and node.rest is not None:
        yield node.rest


def _stored(target: ast.expr) -> Iterator[str]:
    yield from (node.id for node in ast.walk(target) if isinstance(node, ast.Name))
