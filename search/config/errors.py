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
_BOUNDS = {"gt": "more than", "ge": "at least", "lt": "less than", "le": "at most"}


def config_error(error: ValidationError, model: type[BaseModel], document: Document, *section: str) -> ConfigError:
    """Return the first problem that pydantic found, in a document or a section of it, as one line.

    `model` is what was validated; it knows the keys.
    """
    details = {(*section, *detail["loc"]): detail for detail in error.errors(include_url=False)}
    path = min(details, key=lambda path: _order(document, path))
    first = details[path]
    if first["type"] == "extra_forbidden":
        return document.error(path, unknown_key(path, _known(model, first["loc"][:-1])))
    return document.error(path, _message(first, _dotted(path), document.written.get(path)))


def _order(document: Document, path: KeyPath) -> tuple[int, int]:
    """Return the key to sort problems by: what the file says, by line, then what overrides say."""
    origin = document.origin(path)
    return (1, 0) if isinstance(origin, str) else (0, origin or 0)


def _message(detail: Mapping[str, Any], name: str, written: str | None) -> str:
    kind, value, context = detail["type"], detail["input"], detail.get("ctx", {})
    received = shown(value, written)
    if kind == "value_error":
        return str(context["error"])
    if kind == "literal_error":
        # pydantic names them as a sentence does: `'a', 'b' or 'c'`.
        allowed = [word.strip("'") for word in re.split(", | or ", context["expected"])]
        hint = (nearest(value, allowed) if isinstance(value, str) else "") or "."
        return f"`{name}` must be one of {', '.join(allowed)}; got {received}{hint}"
    for key in _BOUNDS.keys() & context:
        bound = f"{context[key]:,}".removesuffix(".0")
        return f"`{name}` must be {_BOUNDS[key]} {bound}; got {received}."
    if kind == "string_too_short":
        return f"`{name}` must not be empty text; leave the key out, or write null."
    if kind == "missing":
        return f"`{name}` is missing; got {received}."
    wanted = _WANTED.get(kind)
    if wanted is None:
        return f"`{name}`: {detail['msg']}; got {received}."
    return f"`{name}` must be {wanted}; got {received}{_fix(wanted, value, written)}"


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
        return f"; a leading zero is octal in YAML, write {plain}." if value.isdigit() and plain else "."
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
