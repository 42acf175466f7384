"""What a definition loses when it leaves the package: what served the search alone."""

from __future__ import annotations

import abc
import ast
import copy
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fusion_ops import FusionOperator, register
from fusion_ops.registry import Registry
from reports.exporting.edits import Edit, lines_of, replacing
from reports.exporting.sources import Definition, ModuleSource

__all__ = ["SEARCH_MEMBERS", "Trimmed", "trim", "used_members"]

SEARCH_MEMBERS = frozenset({"cost", "width", "plan", "plan_cost", "formula", "reduces", "options"})
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Trimmed:
    """A definition without some of its parts.

    Args:
        node: What is left of its syntax tree.
        edits: The same, as edits of the source.
        is_operator: Whether it is a `FusionOperator`.
    """

    node: ast.stmt
    edits: list[Edit]
    is_operator: bool


def trim(definition: Definition, source: ModuleSource, keep: frozenset[str] = frozenset()) -> Trimmed:
    """Return a definition without registration, abstractness and, for operators, what the search needs.

    Args:
        definition: The definition.
        source: Its module.
        keep: Those of `SEARCH_MEMBERS` that operators keep, because their other members use them.
    """
    node = copy.deepcopy(definition.node)
    edits: list[Edit] = []
    value = getattr(sys.modules[definition.module], definition.names[0], None)
    is_operator = isinstance(value, type) and issubclass(value, FusionOperator)
    if isinstance(node, ast.ClassDef):
        if is_operator:
            edits += _without_members(node, source, SEARCH_MEMBERS - keep)
            edits += _without_paragraphs(node, source, SEARCH_MEMBERS - keep)
        edits += _without_abstract_bases(node, definition.module)
        for method in (part for part in node.body if isinstance(part, Function)):
            edits += _concrete(method, definition.module)
    if isinstance(node, ast.ClassDef | Function):
        edits += _without_decorators(node, definition.module)
    return Trimmed(node, edits, is_operator)


def used_members(node: ast.stmt) -> set[str]:
    """Return the attributes that a class reads of itself without having set them: `self.x`, `cls.x`."""
    own = [part for part in ast.walk(node) if isinstance(part, ast.Attribute) and _is_own(part.value, node)]
    stored = {part.attr for part in own if isinstance(part.ctx, ast.Store)}
    return {part.attr for part in own} - stored


def _is_own(value: ast.expr, node: ast.stmt) -> bool:
    if isinstance(value, ast.Call):
        return isinstance(value.func, ast.Name) and value.func.id in ("super", "type")
    return isinstance(value, ast.Name) and value.id in ("self", "cls", getattr(node, "name", ""))


def _without_members(node: ast.ClassDef, source: ModuleSource, names: frozenset[str]) -> Iterator[Edit]:
    dropped = [part for part in node.body if _member(part) in names]
    node.body = [part for part in node.body if part not in dropped]
    for part in dropped:
        decorators = part.decorator_list if isinstance(part, Function | ast.ClassDef) else []
        first = min([part.lineno, *(decorator.lineno for decorator in decorators)])
        while source.lines[first - 2].strip().startswith(b"#"):
            first -= 1
        yield Edit(first, 0, (part.end_lineno or part.lineno) + 1, 0)
    if not node.body:
        node.body = [ast.Pass()]
        last = dropped[-1]
        yield Edit((last.end_lineno or 0) + 1, 0, (last.end_lineno or 0) + 1, 0, " " * last.col_offset + "pass\n")


def _member(part: ast.stmt) -> str | None:
    if isinstance(part, Function | ast.ClassDef):
        return part.name
    target = part.targets[0] if isinstance(part, ast.Assign) else getattr(part, "target", None)
    return target.id if isinstance(target, ast.Name) else None


def _without_paragraphs(node: ast.ClassDef, source: ModuleSource, names: frozenset[str]) -> Iterator[Edit]:
    """Take the paragraphs about members that are gone out of the docstring."""
    first = node.body[0]
    if ast.get_docstring(node, clean=False) is None or not isinstance(first, ast.Expr):
        return
    text = ast.get_source_segment(b"".join(source.lines).decode(), first.value) or ""
    summary, *rest = re.split(r"\n[ \t]*\n", text)
    about = re.compile(r"^\s*Attributes:|" + "|".join(f"`{name}`" for name in sorted(names)), re.MULTILINE)
    kept = [summary, *(paragraph for paragraph in rest if not about.search(paragraph))]
    if len(kept) <= len(rest):
        shortened = "\n\n".join(kept)
        if kept[-1] is not rest[-1]:
            quotes = text[-3:] if text.endswith(('"""', "'''")) else text[-1]
            shortened += (f"\n{' ' * first.col_offset}" if len(kept) > 1 else "") + quotes
        yield replacing(first.value, shortened)


def _without_abstract_bases(node: ast.ClassDef, module: str) -> Iterator[Edit]:
    for previous, base in zip([None, *node.bases], node.bases, strict=False):
        if _runtime(module, base) is abc.ABC:
            start = (base.lineno, base.col_offset) if previous is None else _end(previous)
            yield Edit(*start, *_end(base))
    node.bases = [base for base in node.bases if _runtime(module, base) is not abc.ABC]


def _end(node: ast.expr) -> tuple[int, int]:
    return node.end_lineno or 0, node.end_col_offset or 0


def _concrete(method: Function, module: str) -> Iterator[Edit]:
    """Let an abstract method that has nothing but a docstring raise `NotImplementedError`."""
    abstract = any(_runtime(module, decorator) is abc.abstractmethod for decorator in method.decorator_list)
    yield from _without_decorators(method, module)
    if abstract and len(method.body) == 1 and ast.get_docstring(method) is not None:
        after = (method.end_lineno or 0) + 1
        yield Edit(after, 0, after, 0, f"{' ' * method.body[0].col_offset}raise NotImplementedError\n")


def _without_decorators(node: ast.ClassDef | Function, module: str) -> Iterator[Edit]:
    dropped = [decorator for decorator in node.decorator_list if _serves_the_package(_runtime(module, decorator))]
    node.decorator_list = [decorator for decorator in node.decorator_list if decorator not in dropped]
    yield from (lines_of(decorator) for decorator in dropped)


def _serves_the_package(decorator: Any) -> bool:
    known = decorator is register or decorator is abc.abstractmethod
    return known or isinstance(getattr(decorator, "__self__", None), Registry)


def _runtime(module: str, expression: ast.expr) -> Any:
    """Return what a dotted name of a module is now; of a call, what is called."""
    if isinstance(expression, ast.Call):
        return _runtime(module, expression.func)
    if isinstance(expression, ast.Attribute):
        return getattr(_runtime(module, expression.value), expression.attr, None)
    return getattr(sys.modules[module], expression.id, None) if isinstance(expression, ast.Name) else None
