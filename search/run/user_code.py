"""In which state the user's code was when a run was launched."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from typing import Any

__all__ = ["code_states"]

SECONDS = 10.0


def code_states(folders: Iterable[str]) -> list[dict[str, Any]]:
    """Return for each folder its git commit, the top of its repository and how many files are not as committed.

    All is JSON-ready.

    `commit` is `None` where there is no git, the folder is under no version control, or git does not answer in time.
    Folders of one working tree are told apart: `changed` counts the files below each.
    """
    return [_state(folder) for folder in dict.fromkeys(folders)]


def _state(folder: str) -> dict[str, Any]:
    commit = _git(folder, "rev-parse", "HEAD")
    top = None if commit is None else _git(folder, "rev-parse", "--show-toplevel")
    changed = None if commit is None else _git(folder, "status", "--porcelain", "--", ".")
    return {
        "folder": folder,
        "commit": None if commit is None else commit.strip(),
        "repository": None if top is None else top.strip(),
        "changed": None if changed is None else len(changed.splitlines()),
    }


def _git(folder: str, *arguments: str) -> str | None:
    """Return what git says of a folder; `None` where it says nothing. It takes no lock of the user's repository."""
    command = ["git", "--no-optional-locks", "-C", folder, *arguments]
    try:
        said = subprocess.run(command, capture_output=True, check=True, timeout=SECONDS, text=True, errors="replace")
    except (OSError, subprocess.SubprocessError):
        return None
    return said.stdout
