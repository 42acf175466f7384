"""Patterns of names: `layer2.*` names everything inside of `layer2`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Any

from fusion_ops.errors import SpecError

__all__ = ["checked_patterns", "matches", "unmatched", "within"]


def matches(name: str, patterns: Iterable[str]) -> bool:
    """Return whether a name fits one of the patterns, in which `*` stands for any text, dots included."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def within(name: str, patterns: Iterable[str]) -> bool:
    """Return whether a point's name, or the path of a module that it is in, fits one of the patterns."""
    parts = name.split(".")
    return any(matches(".".join(parts[: length + 1]), patterns) for length in range(len(parts)))


def unmatched(
    include: Sequence[str] | None, exclude: Sequence[str] | None, points: Iterable[str], modules: Iterable[str]
) -> tuple[str, ...]:
    """Return the patterns that fit nothing: of `include` no point, of `exclude` neither a point nor a module.

    Args:
        include: Patterns of names of points; `None` for all.
        exclude: Patterns of names of points, and of paths of modules.
        points: Names of all points, those that are left out as well.
        modules: Paths of all modules.
    """
    points, modules = tuple(points), tuple(modules)
    lost = [pattern for pattern in include or () if not any(matches(name, (pattern,)) for name in points)]
    named = (*points, *modules)
    return (*lost, *(pattern for pattern in exclude or () if not any(matches(name, (pattern,)) for name in named)))


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
