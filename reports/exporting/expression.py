"""A recipe as a Python expression."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from fusion_ops import Recipe
from fusion_ops.errors import SpecError

__all__ = ["expression"]

WIDTH = 110
INDENT = "    "


def expression(value: Any, names: Mapping[Callable[..., Any], str], indent: str = "", before: int = 0) -> str:
    """Return the Python expression that constructs what a recipe describes.

    What does not fit a line has one argument or entry a line; a mapping of recipes always has.

    Args:
        value: A recipe, or one of its values.
        names: What its classes and functions are called.
        indent: White space that the line begins with.
        before: Characters between that and the expression.

    Raises:
        SpecError: A value cannot be written down.
    """
    line = _line(value, names)
    if len(indent) + before + len(line) <= WIDTH and not _opens(value):
        return line
    opening, items, closing = _parts(value, names)
    if not items:
        return line
    inner = indent + INDENT
    rows = [f"{inner}{key}{expression(item, names, inner, len(key))},\n" for key, item in items]
    return f"{opening}\n{''.join(rows)}{indent}{closing}"


def _opens(value: Any) -> bool:
    """Return whether a value is written with one item a line even where it would fit one."""
    if isinstance(value, Recipe):
        return any(map(_opens, (*value.args, *value.kwargs.values())))
    return isinstance(value, Mapping) and any(isinstance(item, Recipe) for item in value.values())


def _line(value: Any, names: Mapping[Callable[..., Any], str]) -> str:
    if not isinstance(value, Recipe | Mapping | list | tuple):
        return _literal(value)
    opening, items, closing = _parts(value, names)
    inside = ", ".join(f"{key}{_line(item, names)}" for key, item in items)
    return f"{opening}{inside}{',' if isinstance(value, tuple) and len(value) == 1 else ''}{closing}"


def _parts(value: Any, names: Mapping[Callable[..., Any], str]) -> tuple[str, list[tuple[str, Any]], str]:
    """Return how a value opens, its items with what stands before each, and how it closes."""
    if isinstance(value, Recipe):
        keywords = [(f"{key}=", item) for key, item in value.kwargs.items()]
        return f"{names[value.factory]}(", [("", item) for item in value.args] + keywords, ")"
    if isinstance(value, Mapping):
        return "{", [(f"{_literal(key)}: ", item) for key, item in value.items()], "}"
    if isinstance(value, list | tuple):
        opening, closing = "[]" if isinstance(value, list) else "()"
        return opening, [("", item) for item in value], closing
    return "", [], ""


def _literal(value: Any) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    if isinstance(value, str):
        text = repr(value)
        return text if '"' in value or "'" in value else f'"{text[1:-1]}"'
    if value is None or isinstance(value, bool | int | float):
        return repr(value)
    raise SpecError(f"a recipe holds numbers, text, true, false, none, recipes and collections; got {value!r}.")
