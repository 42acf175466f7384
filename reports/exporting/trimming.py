"""What a definition loses when it leaves the package: its entry in a registry, what only a search asks an operator."""

from __future__ import annotations

import ast
import copy
import sys
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from fusion_ops import FusionOperator, register
from fusion_ops.registry import Registry
from reports.exporting.edits import Edit, removing
from reports.exporting.sources import Definition

__all__ = ["trimmed"]

UNUSED = {"cost", "input_weights"}


def trimmed(definition: Definition) -> tuple[ast.stmt, list[Edit]]:
    """Return what is left of a definition's syntax tree, and the same as edits of its source."""
    node = copy.deepcopy(definition.node)
    edits: list[Edit] = []
    if isinstance(node, ast.ClassDef):
        value = _runtime(definition.module, ast.Name(node.name))
        if isinstance(value, type) and issubclass(value, FusionOperator):
            edits += _without_unused(node)
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        dropped = [entry for entry in node.decorator_list if _registers(_runtime(definition.module, entry))]
        node.decorator_list = [entry for entry in node.decorator_list if entry not in dropped]
        edits += [removing(entry.lineno, entry) for entry in dropped]
    return node, edits


def _without_unused(node: ast.ClassDef) -> Iterator[Edit]:
    """Take out `cost` and `input_weights` and the comments above them, but what the class itself uses.

    Where nothing stands before one, it stays, for a class needs a body.
    """
    used = {part.attr for part in ast.walk(node) if isinstance(part, ast.Attribute)}
    for before, part in pairwise(list(node.body)):
        if isinstance(part, ast.FunctionDef) and part.name in UNUSED - used:
            node.body.remove(part)
            yield removing((before.end_lineno or 0) + 1, part)


def _registers(decorator: Any) -> bool:
    return decorator is register or isinstance(getattr(decorator, "__self__", None), Registry)


def _runtime(module: str, expression: ast.expr) -> Any:
    """Return what a dotted name of a module is now; of a call, what is called."""
    if isinstance(expression, ast.Call):
        return _runtime(module, expression.func)
    if isinstance(expression, ast.Attribute):
        return getattr(_runtime(module, expression.value), expression.attr, None)
    return getattr(sys.modules[module], expression.id, None) if isinstance(expression, ast.Name) else None
