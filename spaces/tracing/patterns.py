"""Patterns of names: `layer2.*` names everything inside of `layer2`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Any

from fusion_ops.errors import SpecError, nearest

__all__ = ["checked_patterns", "matches", "unmatched", "within"]


def matches(name: str, patterns: Iterable[str]) -> bool:
    """Return whether a name fits one of the patterns, in which `*` stands for any text, dots included."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def within(name: str, patterns: Iterable[str]) -> bool:
    """Return whether a point's name, or the path of a module that it is in, fits one of the patterns."""
    parts = name.split(".")
    return any(matches(".".join(parts[: length + 1]), patterns) for length in range(len(parts)))


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


def unmatched(
    include: Sequence[str] | None, exclude: Sequence[str] | None, points: Iterable[str], modules: Iterable[str]
) -> tuple[str, ...]:
    """Return what is wrong with patterns that name nothing, a line each.

    Args:
        include: Patterns of fusion points.
        exclude: Patterns of fusion points and of modules.
        points: Names of all fusion points of the network.
        modules: Paths of all its modules.
    """
    points, paths = tuple(points), tuple(path for path in modules if path)
    wrong = [_wrong("include", pattern, "fusion point", points) for pattern in include or ()]
    wrong += [_wrong("exclude", pattern, "fusion point or module", (*points, *paths)) for pattern in exclude or ()]
    return tuple(line for line in wrong if line)


def _wrong(setting: str, pattern: str, what: str, known: Sequence[str]) -> str:
    if any(matches(name, (pattern,)) for name in known):
        return ""
    inside = f"{pattern.rstrip('.')}.*"
    hint = (
        f"; did you mean `{inside}`?" if any(matches(name, (inside,)) for name in known) else _nearest(pattern, known)
    )
    return f"`{setting}`: `{pattern}` names no {what} of the network{hint.rstrip('?')}."


def _nearest(pattern: str, known: Sequence[str]) -> str:
    """Return the nearest names; all points (or some of them) where none is near."""
    hint = nearest(pattern, known) or nearest(pattern.replace("*", ""), known)
    shown = ", ".join(f"`{name}`" for name in known[:5])
    return hint or (f"; there is {shown}{', …' if len(known) > 5 else ''}" if known else "")
