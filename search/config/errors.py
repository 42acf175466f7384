"""What a message about a wrong config says: the place, the rule, the value received, what to write instead."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from fusion_ops.errors import ConfigError, nearest
from search.config.document import Document, KeyPath, shown, visible

__all__ = ["config_error", "unknown_key"]

_WANTED = {
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "text",
    "tuple_type": "a list",
    "dict_type": "a mapping of keys",
    "mapping_type": "a mapping of keys",
    "model_type": "a mapping of keys",
    "finite_number": "a finite number",
}
_BOUNDS = {
    "greater_than": ("more than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("less than", "lt"),
    "less_than_equal": ("at most", "le"),
}


def config_error(error: ValidationError, model: type[BaseModel], document: Document) -> ConfigError:
    """Return the first problem that pydantic found as one line.

    Args:
        error: What pydantic raised.
        model: The model that was validated; it knows the keys.
        document: Where the values came from.
    """
    details = error.errors(include_url=False, include_context=True)
    first = min(details, key=lambda item: _order(document, item["loc"]))
    path = tuple(first["loc"])
    return document.error(path, _message(first, path, model, document.written.get(path)))


def _order(document: Document, path: KeyPath) -> tuple[int, int]:
    """Return the key to sort problems by: what the file says, by line, then what overrides say."""
    origin = document.origin(path)
    return (1, 0) if isinstance(origin, str) else (0, origin or 0)


def _message(detail: Mapping[str, Any], path: KeyPath, model: type[BaseModel], written: str | None) -> str:
    kind, value, context = detail["type"], detail["input"], detail.get("ctx", {})
    name = _dotted(path)
    if kind == "extra_forbidden":
        return unknown_key(path, _known(model, path[:-1]))
    if kind == "value_error":
        return str(context["error"])
    if kind == "literal_error":
        # pydantic names them as a sentence does: `'a', 'b' or 'c'`.
        allowed = [name.strip("'") for name in re.split(", | or ", context["expected"])]
        hint = (nearest(value, allowed) if isinstance(value, str) else "") or "."
        return f"`{name}` must be one of {', '.join(allowed)}; got {shown(value, written)}{hint}"
    if kind in _BOUNDS:
        words, key = _BOUNDS[kind]
        bound = f"{context[key]:,}".removesuffix(".0")
        return f"`{name}` must be {words} {bound}; got {shown(value, written)}."
    if kind == "string_too_short":
        return f"`{name}` must not be empty text; leave the key out, or write null."
    if kind == "missing":
        return f"`{name}` is missing; got {shown(value, written)}."
    wanted = _WANTED.get(kind)
    if wanted is None:
        return f"`{name}`: {detail['msg']}; got {shown(value, written)}."
    return f"`{name}` must be {wanted}; got {shown(value, written)}{_fix(wanted, value, written)}"


def unknown_key(path: KeyPath, known: Iterable[str]) -> str:
    """Return the message for a key that does not exist."""
    keys = tuple(known)
    key, section = str(path[-1]), _dotted(path[:-1])
    place = f" in `{section}`" if section else ""
    hint = nearest(key, keys) or f"; known: {', '.join(keys)}"
    return f"unknown key `{visible(key, 60)}`{place}{hint}"


def _fix(wanted: str, value: Any, written: str | None) -> str:
    if isinstance(value, str) and "number" in wanted:
        plain = value.lstrip("0")
        if value.isdigit() and plain:
            return f"; a leading zero is octal in YAML, write {plain}."
        return "."
    if isinstance(value, bool) and wanted == "text" and written is not None:
        return f'; write it in quotes: "{written}".'
    if wanted == "a list" and isinstance(value, str | int | float):
        return f"; write [{visible(str(written or value), 60)}]."
    return "."


def _dotted(path: KeyPath) -> str:
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return visible(text, 120)


def _known(model: type[BaseModel], section: KeyPath) -> Iterable[str]:
    """Return the keys of a section that a user may write."""
    for step in section:
        annotation: Any = model.model_fields[str(step)].annotation
        model = annotation
    return [key for key, field in model.model_fields.items() if not field.exclude]
