"""The user's code by repository: folders of one working tree are of one commit, which is said once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

__all__ = ["Repository", "repositories"]


@dataclass(frozen=True, slots=True)
class Repository:
    """Folders of one working tree.

    Args:
        folders: The folders that the run imported from.
        commit: The commit; empty where there is no version control that was found.
        changed: Files below the folders that were not as committed.
    """

    folders: tuple[str, ...]
    commit: str
    changed: int

    @property
    def state(self) -> str:
        """In which state it was, in words."""
        if not self.commit:
            return "under no version control that was found"
        files = f"{self.changed} changed file{'s' if self.changed != 1 else ''}"
        return f"git {self.commit}{f', and {files}' if self.changed else ''}"


def repositories(code: Iterable[Any]) -> tuple[Repository, ...]:
    """Return the repositories of `resolved.code`, in its order; what is under no version control is each alone.

    Folders belong together that have one top level recorded; where none is, as of older runs, those of one commit of
    which one lies in the other.
    """
    groups: list[list[Mapping[str, Any]]] = []
    for state in code:
        if isinstance(state, Mapping) and state:
            found = next((group for group in groups if any(_together(state, other) for other in group)), None)
            groups.append([state]) if found is None else found.append(state)
    return tuple(_repository(group) for group in groups)


def _repository(group: Sequence[Mapping[str, Any]]) -> Repository:
    folders = [str(state.get("folder")) for state in group]
    # The count of a folder has those of the folders in it.
    outer = [state for state in group if not any(_inside(state, other) for other in group if other is not state)]
    return Repository(tuple(folders), group[0].get("commit") or "", sum(state.get("changed") or 0 for state in outer))


def _together(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    if not one.get("commit") or one["commit"] != other.get("commit"):
        return False
    if one.get("repository") and other.get("repository"):
        return bool(one["repository"] == other["repository"])
    return _inside(one, other) or _inside(other, one)


def _inside(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return PurePath(str(other.get("folder"))) in PurePath(str(one.get("folder"))).parents
