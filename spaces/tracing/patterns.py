"""Patterns of names: `layer2.*` names everything inside of `layer2`."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Any

from fusion_ops.errors import SpecError

__all__ = ["checked_patterns", "matches"]


def matches(name: str, patterns: Iterable[str]) -> bool:
    """Return whether a name fits one of the patterns, in which `*` stands for any text, dots included."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def checked_patterns(setting: str, value: Any) -> tuple[str, ...] | None:
    """Return the setting `include` or `exclude` as a tuple; `None` stays.

    Raises:
        SpecError: It is not a list of texts.
    """
    if value is None:
        return None
    if not isinstance(value, list | tuple) or not all(isinstance(pattern, str) and pattern for pattern in value):
        raise SpecError(f"`{setting}` must be a list of patterns like `layer2.*`; got {value!r}.")
    return tuple(value)
